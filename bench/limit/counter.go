package limit

import (
	"encoding/binary"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// counter counts the words of ranges of a text.
type counter struct {
	text  []byte
	table *table
	batch batch
}

// batch holds words that have been cut but not yet counted. Counting several at a time lets the processor fetch their
// slots side by side: the tables of a large text are far beyond its caches.
type batch struct {
	n      int
	words  [64]word
	hashes [64]uint64
}

func newCounter(text []byte) *counter {
	return &counter{text: text, table: newTable(text, 1<<16)}
}

// count counts the words of text[at:end], which are whole lines. Words of ASCII that fit into two registers are cut
// there, eight bytes a step.
func (c *counter) count(at, end int) {
	text := c.text
	for at < end {
		if at+16 <= len(text) {
			lo := binary.LittleEndian.Uint64(text[at:])
			if n := stop(lo); n < 8 {
				if space[byte(lo>>(8*n))] {
					if n > 0 {
						c.put(word{lo: firstBytes(lo, n), hi: uint64(n) << 56})
					}
					at += n + 1
					continue
				}
			} else {
				hi := binary.LittleEndian.Uint64(text[at+8:])
				if n := stop(hi); n < 8 && space[byte(hi>>(8*n))] {
					c.put(word{lo: lo, hi: firstBytes(hi, n) | uint64(8+n)<<56})
					at += 8 + n + 1
					continue
				}
			}
		}
		var begin int
		begin, at = field(text, at, end)
		if begin < at {
			c.putLong(newWord(text, begin, at))
		}
	}
	c.flush()
}

// stop returns the place of the first of eight bytes that may end a word, or 8: one up to the space, or one of a rune
// beyond ASCII.
func stop(b uint64) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	return bits.TrailingZeros64(((b-(' '+1)*ones)|b)&tops) / 8
}

// space holds the white space of ASCII.
var space = [256]bool{'\t': true, '\n': true, '\v': true, '\f': true, '\r': true, ' ': true}

func firstBytes(b uint64, n int) uint64 {
	return b & (1<<(8*n) - 1)
}

// field finds the first word of text[at:end], rune by rune. Without one, begin is stop is end.
func field(text []byte, at, end int) (begin, stop int) {
	for at < end {
		r, size := utf8.DecodeRune(text[at:end])
		if !unicode.IsSpace(r) {
			break
		}
		at += size
	}
	begin = at
	for at < end {
		r, size := utf8.DecodeRune(text[at:end])
		if unicode.IsSpace(r) {
			break
		}
		at += size
	}
	return begin, at
}

func (c *counter) put(w word) {
	b := &c.batch
	b.words[b.n] = w
	b.hashes[b.n] = w.hash()
	b.n++
	if b.n == len(b.words) {
		c.flush()
	}
}

// putLong counts a word of any length.
func (c *counter) putLong(w word) {
	if !w.long() {
		c.put(w)
		return
	}
	c.table.add(w, hashLong(w.bytes(c.text)), 1)
}

// flush counts the words of the batch.
func (c *counter) flush() {
	b := &c.batch
	c.table.touch(b.hashes[:b.n])
	for i, w := range b.words[:b.n] {
		c.table.add(w, b.hashes[i], 1)
	}
	b.n = 0
}
