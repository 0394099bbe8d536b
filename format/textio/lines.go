package textio

import (
	"bytes"
	"context"
	"math"

	"fletch/engine/plan"
	"fletch/format/internal/input"
)

// lines reads one range of one file as blocks. One goroutine at a time uses it.
type lines struct {
	ctx     context.Context
	in      plan.FileRange
	chunk   int         // bytes to read at once
	maxLine int         // the longest line, in bytes
	zip     *input.Hold // what decompressing takes

	file     *input.File // nil before the first block, and once closed
	end      int64       // lines that begin at this offset or later belong to other ranges; MaxInt64: none does
	skipping bool        // the line that began before the range
}

// block is a piece of one file. Its buffer belongs to the block alone, for good.
type block struct {
	start int64  // offset of the first byte
	lines []byte // whole lines; the last one of a file may lack its end
	rest  []byte // the beginning of a line that the next block finishes
	last  bool   // no block of this range follows

	hold *input.Hold // what the buffer takes
	// missing is zero, or the block holds no lines and the next one begins with its rest: so many bytes have to be added to
	// wanting first, which is hold or what decompressing takes.
	missing int64
	wanting *input.Hold
	purpose string // of them
}

// next returns the block that begins with rest, what the block before left over. It holds at least one line, unless it
// is the last or memory is missing. The buffer is to be added to what hold takes.
func (in *lines) next(rest []byte, hold *input.Hold) (block, error) {
	if in.file == nil {
		if err := in.open(); err != nil {
			return block{}, err
		}
	}
	if missing := in.zip.Grow(in.file.Window()); missing > 0 {
		return block{rest: rest, hold: hold, missing: missing, wanting: in.zip, purpose: in.in.Path + ": to decompress it"}, nil
	}
	buf := rest
	for {
		old, beyond := len(buf), in.file.Pos() >= in.end
		if beyond && old == 0 {
			return block{last: true, hold: hold}, nil
		}
		n, missing := in.room(len(buf), hold)
		if missing > 0 {
			where := input.Position(in.in.Path, in.file.Pos()-int64(len(buf)))
			return block{rest: buf, hold: hold, missing: missing, wanting: hold, purpose: where + ": to read the line"}, nil
		}
		var last bool
		var err error
		if buf, last, err = in.read(buf, n); err != nil {
			return block{}, err
		}
		if in.skipping {
			buf, old = in.skip(buf), 0
		}
		start := in.file.Pos() - int64(len(buf))
		if i := bytes.IndexByte(buf[old:], '\n'); beyond && i >= 0 {
			buf, last = buf[:old+i+1], true // what follows the line that began in the range is another's
		}
		if last {
			return block{start: start, lines: buf, last: true, hold: hold}, nil
		}
		if i := bytes.LastIndexByte(buf[old:], '\n'); i >= 0 {
			n := old + i + 1
			return block{start: start, lines: buf[:n:n], rest: buf[n:], hold: hold}, nil
		}
		if len(buf) > in.maxLine+1 { // one more may be a carriage return
			return block{}, tooLong(input.Position(in.in.Path, start), in.maxLine)
		}
	}
}

// room returns how many bytes to read behind a buffer of some size, after adding them to what hold takes; or else how many
// are missing there for a few.
func (in *lines) room(size int, hold *input.Hold) (n int, missing int64) {
	least, pos := in.chunk, in.file.Pos()
	border := in.end
	if pos >= in.end {
		least, border = min(least, input.OverrunBytes), in.file.Size()
	}
	n = int(min(int64(input.Larger(least, size, in.maxLine)), border-pos))
	if hold.Grow(size+n) == 0 {
		return n, 0
	}
	n = min(n, max(least, size/8))
	return n, hold.Grow(size + n)
}

// read returns a copy of buf with the next bytes of the file behind it, and whether they are the file's last.
func (in *lines) read(buf []byte, n int) (grown []byte, eof bool, err error) {
	grown = input.Unzeroed(len(buf) + n)
	copy(grown, buf)
	got, eof, err := in.file.Fill(grown[len(buf):])
	return grown[:len(buf)+got], eof, err
}

// skip drops what belongs to the line before the range.
func (in *lines) skip(buf []byte) []byte {
	_, rest, ended := bytes.Cut(buf, newline)
	in.skipping = !ended
	return rest
}

func (in *lines) open() error {
	f, err := input.Open(in.ctx, in.in)
	if err != nil {
		return err
	}
	in.file = f
	if f.Compressed() {
		in.end = math.MaxInt64
		return nil
	}
	in.end = in.in.Offset + in.in.Length
	if in.in.Offset > 0 {
		// The byte before tells whether a line begins exactly here: if it is a newline, the line to skip is just that.
		f.SkipTo(in.in.Offset - 1)
		in.skipping = true
	}
	return nil
}

// close frees what is open. It must not be called while next runs.
func (in *lines) close() error {
	if in.file == nil {
		return nil
	}
	f := in.file
	in.file = nil
	in.zip.Release()
	return f.Close()
}
