package textio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"unsafe"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/storage"
)

// overrunBytes is how much is read at first of what follows a range, to finish its last line.
const overrunBytes = 4 << 10

// input reads one range of one file as blocks. One goroutine at a time uses it.
type input struct {
	ctx     context.Context
	in      plan.FileRange
	chunk   int // bytes to read at once
	maxLine int // the longest line, in bytes

	file storage.File // nil before the first block, and once closed
	src  io.Reader    // the file's bytes from pos on, decompressed
	zip  *zipReader   // which is src, if the file is compressed

	// Offsets are of decompressed bytes. MaxInt64 stands for an end that is not known: that of a compressed file.
	pos      int64 // of the next byte to read
	end      int64 // lines that begin here or later belong to other ranges
	size     int64 // of the file
	skipping bool  // the line that began before the range
}

// block is a piece of one file. Its buffer belongs to the block alone, for good.
type block struct {
	start int64  // offset of the first byte
	lines []byte // whole lines; the last one of a file may lack its end
	rest  []byte // the beginning of a line that the next block finishes
	last  bool   // no block of this range follows
}

// next returns the block that begins with rest, what the block before left over. It holds at least one line, unless it
// is the last.
func (in *input) next(rest []byte) (block, error) {
	if in.src == nil {
		if err := in.open(); err != nil {
			return block{}, err
		}
	}
	buf := rest
	for {
		old, beyond := len(buf), in.pos >= in.end
		if beyond && old == 0 {
			return block{last: true}, nil
		}
		var last bool
		var err error
		if buf, last, err = in.read(buf); err != nil {
			return block{}, err
		}
		if in.skipping {
			buf, old = in.skip(buf), 0
		}
		start := in.pos - int64(len(buf))
		if i := bytes.IndexByte(buf[old:], '\n'); beyond && i >= 0 {
			buf, last = buf[:old+i+1], true // what follows the line that began in the range is another's
		}
		if last {
			return block{start: start, lines: buf, last: true}, nil
		}
		if i := bytes.LastIndexByte(buf[old:], '\n'); i >= 0 {
			n := old + i + 1
			return block{start: start, lines: buf[:n:n], rest: buf[n:]}, nil
		}
		if len(buf) > in.maxLine+1 { // one more may be a carriage return
			return block{}, tooLong(position(in.in.Path, start), in.maxLine)
		}
	}
}

// read returns a copy of buf with the next bytes of the file behind it, and whether they are the file's last.
func (in *input) read(buf []byte) (grown []byte, eof bool, err error) {
	n := in.chunk
	if in.pos >= in.end {
		n = min(n, overrunBytes)
	}
	// A long line's buffer doubles, up to where the line is known to be too long.
	n = max(n, min(len(buf), in.maxLine+2-len(buf)))
	border := in.size
	if in.pos < in.end {
		border = in.end
	}
	n = int(min(int64(n), border-in.pos))

	grown = unzeroed(len(buf) + n)
	copy(grown, buf)
	got, err := fill(in.src, grown[len(buf):])
	in.pos += int64(got)
	if err == io.EOF && in.zip != nil { //nolint:errorlint // one that is wrapped is no end of the text but damage
		return grown[:len(buf)+got], true, nil
	}
	return grown, in.pos == in.size, in.readError(err)
}

// fill reads until p is full. Unlike io.ReadFull, it returns the reader's own errors, so that one which means a
// truncated file is not taken for its end.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var got int
		got, err = r.Read(p[n:])
		n += got
	}
	if n == len(p) {
		err = nil
	}
	return n, err
}

// skip drops what belongs to the line before the range.
func (in *input) skip(buf []byte) []byte {
	_, rest, ended := bytes.Cut(buf, newline)
	in.skipping = !ended
	return rest
}

func (in *input) open() error {
	f, err := storage.OpenRange(in.ctx, in.in)
	if err != nil {
		return err
	}
	in.file = f
	if zip := newZipReader(f, in.in); zip != nil {
		in.zip, in.src = zip, zip
		in.end, in.size = math.MaxInt64, math.MaxInt64
		return nil
	}
	in.pos, in.end, in.size = in.in.Offset, in.in.Offset+in.in.Length, in.in.Size
	if in.pos > 0 {
		// The byte before tells whether a line begins exactly here: if it is a newline, the line to skip is just that.
		in.pos--
		in.skipping = true
	}
	in.src = io.NewSectionReader(f, in.pos, in.size-in.pos)
	return nil
}

// close frees what is open. It must not be called while next runs.
func (in *input) close() error {
	if in.file == nil {
		return nil
	}
	if in.zip != nil {
		in.zip.close()
	}
	f := in.file
	in.file = nil
	return f.Close()
}

// readError says where reading failed, and whether the file or the machine is to blame.
func (in *input) readError(err error) error {
	if err == nil {
		return nil
	}
	where := position(in.in.Path, in.pos)
	switch {
	case in.zip != nil:
		return in.zip.explain(err, where)
	case errors.Is(err, io.EOF):
		return fault.As(fault.User, fmt.Errorf("%s: the file was cut while the job ran, it had %d bytes: run the job again once nothing writes to it", where, in.size))
	}
	return fmt.Errorf("%s: %w", where, err)
}

// unzeroed returns n bytes of fresh memory, with anything in it. The runtime's clearing of a buffer that is about to be
// overwritten anyway takes a third of the time of reading lines. strings.Builder is the one way of the standard library
// to such memory; what it writes first makes its buffer addressable.
func unzeroed(n int) []byte {
	if n == 0 {
		return nil
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), n)
}
