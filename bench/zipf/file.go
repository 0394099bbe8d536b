package zipf

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// File returns the path of a file in dir that holds the text, and makes it where it is missing. The name carries a
// checksum of the first chunk, so a change of this package is never hidden by a file that an earlier version made.
func File(dir string, c Config) (path string, err error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return "", err
	}
	t := newText(c)
	sum := crc32.ChecksumIEEE(t.fillChunk(nil, 0))
	path = filepath.Join(dir, fmt.Sprintf("zipf-%d-bytes-%d-words-seed-%d-%08x.txt", c.Bytes, c.Words, c.Seed, sum))
	switch info, err := os.Stat(path); {
	case err == nil && info.Size() == c.Bytes:
		return path, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	return path, create(path, t)
}

// create writes the text under a temporary name first, so that a file of the final name is always whole.
func create(path string, t *text) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".zipf-*")
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, chunkBytes)
	if err := errors.Join(t.write(buffered), buffered.Flush(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}
