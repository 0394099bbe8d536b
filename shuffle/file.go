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

// dataFile is the file of one attempt while it is written. Its methods run on I/O goroutines, one call at a time.
type dataFile struct {
	files     files
	temporary string
	final     string
	f         io.WriteCloser // nil before the first append
	w         *bufio.Writer
	size      int64 // of what append has taken
}

// append appends chunks and hands them to the operating system. The file is made by the first call.
func (d *dataFile) append(chunks [][]byte) error {
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

// commit appends the file's tail and gives it its final name. There is no sync: after a crash of the machine the output
// is as lost as the process that would have served it, and a torn file does not verify.
func (d *dataFile) commit(tail []byte) error {
	if err := d.append([][]byte{tail}); err != nil {
		return err
	}
	f := d.f
	d.f = closedFile{}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", d.temporary, err)
	}
	return os.Rename(d.temporary, d.final)
}

// remove closes and deletes the file, whichever name it has by now.
func (d *dataFile) remove() error {
	if d.f == nil {
		return nil
	}
	d.f.Close() //nolint:errcheck // its error says nothing about a file that is thrown away
	d.f = closedFile{}
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

// FileName returns the name of an attempt's committed file in Config.Dir.
func FileName(attempt string) string { return attempt + ".shuffle" }
