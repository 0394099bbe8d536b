package contest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
)

// Sorted is a Judge of texts that have to be the lines of Input in the order of their bytes. It needs no other result to
// compare with.
type Sorted struct {
	Input string // path of a file
	input multiset
}

// Check compares a result with the input.
func (s *Sorted) Check(result string) error {
	if s.input == (multiset{}) {
		input, err := readLines(s.Input, func(_, _ []byte) error { return nil })
		if err != nil {
			return err
		}
		s.input = input
	}
	number := 0
	lines, err := readLines(result, func(before, line []byte) error {
		number++
		if bytes.Compare(before, line) > 0 {
			return fmt.Errorf("line %d is %q, behind %q", number, line, before)
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case lines.size != s.input.size:
		return fmt.Errorf("has %d lines, the input %d", lines.size, s.input.size)
	case lines != s.input:
		return errors.New("has other lines than the input")
	}
	return nil
}

// readLines visits the lines of a text, each with the one before it, which is empty at first, and sums them up.
func readLines(result string, visit func(before, line []byte) error) (m multiset, err error) {
	lines, err := newLineReader(result)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, lines.Close()) }()
	var before []byte
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err == nil {
			err = visit(before, line)
		}
		if err != nil {
			return m, err
		}
		m.add(line)
		before = append(before[:0], line...)
	}
}

// multiset stands for byte strings in any order: their number and the sums of two hashes. Equal ones mean equal strings,
// repeated ones included.
type multiset struct {
	size   int64
	hashes [2]uint64
}

// seeds are those of the two hashes, for this process.
var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

func (m *multiset) add(b []byte) (hashes [2]uint64) {
	m.size++
	for i, seed := range seeds {
		hashes[i] = maphash.Bytes(seed, b)
		m.hashes[i] += hashes[i]
	}
	return hashes
}
