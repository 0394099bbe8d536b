// Package chunks makes the benchmarks' files chunk by chunk. A chunk follows from its number alone, so all cores make
// chunks side by side, and the bytes are the same whatever the number of cores.
package chunks

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// File says what a file holds.
type File struct {
	Name   string // says all that its bytes depend on, so that two files of one name are the same
	Chunks int64
	// Fill makes chunk n in the memory of b, which it may grow. Goroutines call it side by side, each with memory of its
	// own. No chunk is empty.
	Fill func(b []byte, n int64) []byte
}

// Write writes the chunks in order, and makes as many at a time as there are cores.
func (f File) Write(w io.Writer) error {
	buffers := make([][]byte, runtime.GOMAXPROCS(0))
	for first := int64(0); first < f.Chunks; first += int64(len(buffers)) {
		made := buffers[:min(int64(len(buffers)), f.Chunks-first)]
		var group errgroup.Group
		for i := range made {
			group.Go(func() error {
				made[i] = f.Fill(made[i], first+int64(i))
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for _, b := range made {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// Make returns the path of the file in dir, and makes it where it is missing, cut short, or what an earlier version of
// the code that fills it has left: where its first or last chunk is another one.
func (f File) Make(dir string) (path string, err error) {
	path = filepath.Join(dir, f.Name)
	if whole, err := f.isWhole(path); whole || err != nil {
		return path, err
	}
	return path, f.create(path)
}

func (f File) isWhole(path string) (bool, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	if f.Chunks == 0 {
		return info.Size() == 0, nil
	}
	first, last := f.Fill(nil, 0), f.Fill(nil, f.Chunks-1)
	for _, end := range []struct {
		chunk []byte
		at    int64
	}{{first, 0}, {last, info.Size() - int64(len(last))}} {
		held := make([]byte, len(end.chunk))
		if end.at < 0 {
			return false, nil
		}
		_, err := file.ReadAt(held, end.at)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if !bytes.Equal(held, end.chunk) {
			return false, nil
		}
	}
	return true, nil
}

// create writes the file under a temporary name first, so that one of the final name is whole.
func (f File) create(path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".made-*")
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, 1<<20)
	if err := errors.Join(f.Write(buffered), buffered.Flush(), file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}
