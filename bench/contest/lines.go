package contest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lineReader reads the lines of a result's text, whose parts follow one another.
type lineReader struct {
	*bufio.Reader
	parts *concatenation
}

func newLineReader(result string) (*lineReader, error) {
	files, err := partsOf(result, ".txt")
	if err != nil {
		return nil, err
	}
	parts := &concatenation{files: files}
	return &lineReader{bufio.NewReaderSize(parts, 1<<20), parts}, nil
}

// next returns a line with its end, or io.EOF. It is valid until the following call.
func (r *lineReader) next() ([]byte, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, errors.New("a line is longer than a mebibyte")
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, fmt.Errorf("the last line does not end: %q", line)
	}
	return line, err
}

func (r *lineReader) Close() error { return r.parts.Close() }

// Same is a Judge of texts that have to be the same, byte for byte. A text is a file, or the .txt files of a directory one
// after another.
type Same struct {
	first string // the first result
}

// Check compares a result with the first one.
func (s *Same) Check(result string) (err error) {
	if s.first == "" {
		s.first = result
	}
	want, err := newLineReader(s.first)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, want.Close()) }()
	got, err := newLineReader(result)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, got.Close()) }()
	for number := 1; ; number++ {
		a, errA := want.next()
		b, errB := got.next()
		atEnd := errors.Is(errA, io.EOF)
		switch {
		case errA != nil && !atEnd, errB != nil && !errors.Is(errB, io.EOF):
			return errors.Join(errA, errB)
		case atEnd && errB != nil:
			return nil
		case atEnd:
			return fmt.Errorf("line %d is too many: %q", number, b)
		case errB != nil:
			return fmt.Errorf("ends before line %d: %q", number, a)
		case !bytes.Equal(a, b):
			return fmt.Errorf("line %d is %q, not %q", number, b, a)
		}
	}
}
