package contest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// partsOf returns the files of a result in their order: the file itself, or those of a directory with an extension.
func partsOf(result, extension string) ([]string, error) {
	info, err := os.Stat(result)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{result}, nil
	}
	parts, err := filepath.Glob(filepath.Join(result, "*"+extension))
	if err == nil && len(parts) == 0 {
		err = fmt.Errorf("%s has no %s files", result, extension)
	}
	return parts, err
}

// concatenation reads files one after another. Close closes the one that is open.
type concatenation struct {
	files []string // that follow
	open  *os.File
}

func (c *concatenation) Read(b []byte) (int, error) {
	for {
		if c.open == nil {
			if len(c.files) == 0 {
				return 0, io.EOF
			}
			file, err := os.Open(c.files[0])
			if err != nil {
				return 0, err
			}
			c.open, c.files = file, c.files[1:]
		}
		n, err := c.open.Read(b)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if err := c.Close(); err != nil {
			return 0, err
		}
	}
}

func (c *concatenation) Close() error {
	if c.open == nil {
		return nil
	}
	open := c.open
	c.open = nil
	return open.Close()
}
