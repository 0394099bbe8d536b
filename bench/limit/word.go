package limit

import (
	"encoding/binary"
	"math/bits"
)

// inlineBytes is the length of the longest word that fits into a word's own 16 bytes.
const inlineBytes = 15

// word is a key of the table. A short word is its own bytes, zero-padded, with the length in the top byte of hi. A long
// one is its place: the offset in the text in lo, the length in hi below a top byte of longWord.
type word struct {
	lo, hi uint64
}

const longWord = 0xff

func newWord(text []byte, begin, end int) word {
	size := end - begin
	if size > inlineBytes {
		return word{lo: uint64(begin), hi: longWord<<56 | uint64(size)}
	}
	var b [16]byte
	copy(b[:], text[begin:end])
	b[15] = byte(size)
	return word{lo: binary.LittleEndian.Uint64(b[:8]), hi: binary.LittleEndian.Uint64(b[8:])}
}

func (w word) long() bool {
	return w.hi>>56 == longWord
}

// append appends the word's bytes.
func (w word) append(b, text []byte) []byte {
	if w.long() {
		size := w.hi & (1<<56 - 1)
		return append(b, text[w.lo:w.lo+size]...)
	}
	size := int(w.hi >> 56)
	b = binary.LittleEndian.AppendUint64(b, w.lo)
	b = binary.LittleEndian.AppendUint64(b, w.hi)
	return b[:len(b)-16+size]
}

func (w word) bytes(text []byte) []byte {
	return w.append(nil, text)
}

// hash mixes as wyhash does: the two halves of a 128-bit product.
func (w word) hash() uint64 {
	const k0, k1 = 0xa0761d6478bd642f, 0xe7037ed1a0b428db
	hi, lo := bits.Mul64(w.lo^k0, w.hi^k1)
	return (hi ^ lo) * k0
}

// hashLong hashes the bytes of a long word.
func hashLong(b []byte) uint64 {
	var h uint64
	for ; len(b) >= 8; b = b[8:] {
		h = word{lo: h, hi: binary.LittleEndian.Uint64(b)}.hash()
	}
	return word{lo: h, hi: newWord(b, 0, len(b)).lo}.hash()
}
