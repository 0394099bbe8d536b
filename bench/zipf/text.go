// Package zipf makes text whose words follow Zipf's law, as those of natural languages do: the word of rank k occurs in
// proportion to 1/k. The same Config gives the same bytes on every machine, whatever the number of cores.
package zipf

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"fletch/bench/chunks"
)

const (
	chunkBytes = 1 << 20 // a chunk has its own random numbers
	lineBytes  = 80      // a line ends with the first word that reaches this length
)

// Config says which text is made.
type Config struct {
	Bytes int64  // the exact size of the text
	Words int    // distinct words to draw from; default 1,000,000
	Seed  uint64 // of the draws; the words themselves are always the same
}

func (c Config) withDefaults() Config {
	if c.Words == 0 {
		c.Words = 1_000_000
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Bytes < 0 {
		errs = append(errs, errors.New("the size of a text can't be negative"))
	}
	if c.Words < 1 {
		errs = append(errs, errors.New("a text needs at least one word to draw from"))
	}
	return errors.Join(errs...)
}

// File describes the file of a text.
func File(c Config) (chunks.File, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return chunks.File{}, err
	}
	t := &text{config: c, words: newVocabulary(c.Words), ranks: newSampler(c.Words)}
	return chunks.File{
		Name:   fmt.Sprintf("zipf-%d-bytes-%d-words-seed-%d.txt", c.Bytes, c.Words, c.Seed),
		Chunks: (c.Bytes + chunkBytes - 1) / chunkBytes,
		Fill:   t.fillChunk,
	}, nil
}

// text makes the chunks of one Config.
type text struct {
	config Config
	words  vocabulary
	ranks  sampler
}

// fillChunk makes chunk n in the memory of b. Where no word fits into what is
// left of a chunk, spaces and a line end fill it, so that the text has exactly the size asked for.
func (t *text) fillChunk(b []byte, n int64) []byte {
	size := int(min(chunkBytes, t.config.Bytes-n*chunkBytes))
	b = slices.Grow(b[:0], size)[:size]
	random := rand.NewPCG(t.config.Seed, uint64(n))
	at, line := 0, 0 // where the next word and the current line begin
	for size-at > maxWordBytes+1 {
		w := &t.words[t.ranks.draw(random)-1]
		*(*[maxWordBytes]byte)(b[at:]) = w.letters // copies a fixed size, which is faster; the next word covers the excess
		at += int(w.size)
		b[at] = ' '
		at++
		if at-line > lineBytes {
			b[at-1] = '\n'
			line = at
		}
	}
	for i := at; i < size; i++ {
		b[i] = ' '
	}
	b[size-1] = '\n'
	return b
}
