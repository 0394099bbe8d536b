package shuffle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// writeBytes is what small frames are collected to before they are written.
const writeBytes = 256 << 10

// draft is the file of one attempt while it is written. Its methods run on I/O goroutines, one call at a time.
type draft struct {
	files     *files
	temporary string
	final     string
	placed    *os.File       // a memfd, which stays open; nil if there is to be a file with a name
	f         io.WriteCloser // nil until there is one
	w         *bufio.Writer
	size      int64 // of what append has taken
}

// place has everything go to f, which has no name.
func (d *draft) place(f *os.File) {
	d.f, d.w, d.placed = f, bufio.NewWriterSize(io.NewOffsetWriter(f, 0), writeBytes), f
}

// append appends chunks and hands them to the operating system. The file is made by the first call.
func (d *draft) append(chunks [][]byte) error {
	if d.f == nil {
		f, err := d.files.create(d.temporary)
		if err != nil {
			return err
		}
		d.f, d.w = f, bufio.NewWriterSize(f, writeBytes)
	}
	for _, c := range chunks {
		n, err := d.w.Write(c)
		d.size += int64(n)
		if err != nil {
			return err
		}
	}
	return d.w.Flush()
}

// commit appends the file's tail and gives it its final name, if it has one. There is no sync: after a crash of the
// machine the output is as lost as the process that would have served it, and a torn file does not verify.
func (d *draft) commit(tail [][]byte) error {
	if err := d.append(tail); err != nil {
		return err
	}
	f := d.f
	d.f = closedFile{}
	if d.placed != nil {
		return d.placed.Truncate(d.size)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", d.temporary, err)
	}
	return os.Rename(d.temporary, d.final)
}

// remove closes the file and deletes it, whichever name it has by now.
func (d *draft) remove() error {
	if d.f == nil {
		return nil
	}
	d.f.Close() //nolint:errcheck // its error says nothing about a file that is thrown away
	d.f = closedFile{}
	if d.placed != nil {
		d.placed.Close() //nolint:errcheck // likewise, and it may be closed already
		return nil
	}
	for _, path := range []string{d.temporary, d.final} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// closedFile stands for a file after its end.
type closedFile struct{}

func (closedFile) Write([]byte) (int, error) { return 0, fs.ErrClosed }
func (closedFile) Close() error              { return nil }
