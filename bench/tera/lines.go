// Package tera makes the lines that TeraSort sorts: 100 bytes, of which the first 10 are the key. They have the shape of
// the ASCII records of the sort benchmark's gensort.
package tera

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"

	"fletch/bench/chunks"
)

const (
	// LineBytes is the size of a line with its end.
	LineBytes = 100
	// KeyBytes is the size of the key that a line begins with.
	KeyBytes = 10

	numberBytes = 32 // hexadecimal
	fillerBytes = LineBytes - KeyBytes - 2 - numberBytes - 2 - 1

	chunkLines = 10_000
)

// Config says which lines are made.
type Config struct {
	Lines int64
	Seed  uint64
}

// File describes the file of the lines. A line is its key, of ten printable characters drawn independently of each
// other; two spaces; its number, which counts from 0; two spaces; and letters.
func File(c Config) (chunks.File, error) {
	if c.Lines < 0 {
		return chunks.File{}, errors.New("the number of lines can't be negative")
	}
	return chunks.File{
		Name:   fmt.Sprintf("tera-%d-lines-seed-%d.txt", c.Lines, c.Seed),
		Chunks: (c.Lines + chunkLines - 1) / chunkLines,
		Fill:   c.fillChunk,
	}, nil
}

func (c Config) fillChunk(b []byte, n int64) []byte {
	first := n * chunkLines
	lines := min(chunkLines, c.Lines-first)
	size := int(lines * LineBytes)
	b = slices.Grow(b[:0], size)[:size]
	random := rand.NewPCG(c.Seed, uint64(n))
	for i := range lines {
		fillLine((*[LineBytes]byte)(b[i*LineBytes:]), first+i, random)
	}
	return b
}

func fillLine(line *[LineBytes]byte, number int64, random *rand.PCG) {
	fillKey(line[:KeyBytes], random)
	rest := line[KeyBytes:]
	rest[0], rest[1] = ' ', ' '
	hex(rest[2:2+numberBytes], uint64(number))
	rest = rest[2+numberBytes:]
	rest[0], rest[1] = ' ', ' '
	fillLetters(rest[2:2+fillerBytes], random.Uint64())
	line[LineBytes-1] = '\n'
}

// fillKey draws printable characters, five from each random number: a draw takes the high bits of what the one before
// has left, so all are uniform to within 2^-30.
func fillKey(key []byte, random *rand.PCG) {
	var left uint64
	for i := range key {
		if i%5 == 0 {
			left = random.Uint64()
		}
		var c uint64
		c, left = bits.Mul64(left, '~'-' '+1)
		key[i] = ' ' + byte(c)
	}
}

func hex(digits []byte, n uint64) {
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = "0123456789ABCDEF"[n&15]
		n >>= 4
	}
}

// fillLetters repeats each letter four times, as gensort does.
func fillLetters(letters []byte, draw uint64) {
	for i := range letters {
		letters[i] = 'A' + byte(draw>>(i/4*4)&15)
	}
}
