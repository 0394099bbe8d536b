// Package input reads files as the formats do: one after the other, decompressed, ahead of the coroutine that works on
// them, and with errors that say where reading failed and who is to blame. It knows bytes, not records.
package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/storage"
)

// OverrunBytes is how much is read at first of what follows a range, to finish its last record.
const OverrunBytes = 4 << 10

// File is an input file that is open. Its offsets are of decompressed bytes. One goroutine at a time uses it.
type File struct {
	path string
	file storage.File
	zip  *zipReader // nil: the file is not compressed
	pos  int64
	size int64
}

// Open opens the file of a range at its beginning. Files whose names end in .gz or .zst are compressed.
func Open(ctx context.Context, in plan.FileRange) (*File, error) {
	file, err := storage.OpenRange(ctx, in)
	if err != nil {
		return nil, err
	}
	f := &File{path: in.Path, file: file, size: in.Size}
	if f.zip = newZipReader(file, in); f.zip != nil {
		f.size = math.MaxInt64
	}
	return f, nil
}

// Window returns how much memory it takes to decompress the file, beside small buffers, as long as nothing has been read
// of it; then zero.
func (f *File) Window() int {
	if f.zip == nil || f.zip.plain != nil {
		return 0
	}
	beginning, _ := f.zip.buf.Peek(zstd.HeaderMaxSize) //nolint:errcheck // the first read tells
	return f.zip.window(beginning)
}

// Compressed tells whether the file can only be read from its beginning.
func (f *File) Compressed() bool { return f.zip != nil }

// Pos returns the offset of the next byte.
func (f *File) Pos() int64 { return f.pos }

// Size returns the length of the file; MaxInt64 stands for one that is not known: that of a compressed file.
func (f *File) Size() int64 { return f.size }

// SkipTo makes pos the offset of the next byte. The file is not compressed.
func (f *File) SkipTo(pos int64) { f.pos = pos }

// Fill reads the next bytes of the file until p is full or the file ends, and tells whether it does.
func (f *File) Fill(p []byte) (n int, eof bool, err error) {
	if f.zip != nil {
		n, err = fill(f.zip, p)
		f.pos += int64(n)
		if err == io.EOF { //nolint:errorlint // one that is wrapped is no end of the text but damage
			return n, true, nil
		}
		return n, false, f.explain(err)
	}
	p = p[:min(int64(len(p)), f.size-f.pos)]
	n, err = fill(io.NewSectionReader(f.file, f.pos, f.size-f.pos), p)
	f.pos += int64(n)
	return n, f.pos == f.size, f.explain(err)
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

// explain says where reading failed, and whether the file or the machine is to blame.
func (f *File) explain(err error) error {
	if err == nil {
		return nil
	}
	where := Position(f.path, f.pos)
	switch {
	case f.zip != nil:
		return f.zip.explain(err, where)
	case errors.Is(err, io.EOF):
		return fault.As(fault.User, fmt.Errorf("%s: the file was cut while the job ran, it had %d bytes: run the job again once nothing writes to it", where, f.size))
	}
	return fmt.Errorf("%s: %w", where, err)
}

// Close frees what is open. It must not be called while the file is read.
func (f *File) Close() error {
	if f.zip != nil {
		f.zip.close()
	}
	return f.file.Close()
}

// Position names a place in a file, as messages do.
func Position(path string, offset int64) string { return fmt.Sprintf("%s byte %d", path, offset) }
