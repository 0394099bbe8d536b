package limit

import (
	"bytes"
	"math/bits"
)

// table counts words: open addressing with linear probing, at most half full. The top bits of a hash give the slot where
// probing begins, so a range of hashes is a range of slots, whatever the table's size.
type table struct {
	text  []byte
	slots []slot
	shift uint // 64 less the bits of a slot's index
	used  int

	touched uint64 // keeps the compiler from dropping the loads of touch
}

// slot takes half a cache line. It is free while count is zero.
type slot struct {
	word
	hash  uint64
	count uint64
}

func newTable(text []byte, slots int) *table {
	size := bits.Len(uint(max(slots, 1<<10) - 1))
	t := &table{text: text, slots: make([]slot, 1<<size), shift: 64 - uint(size)}
	preferHugePages(t.slots)
	return t
}

// add adds count to the count of w.
func (t *table) add(w word, hash, count uint64) {
	mask := uint64(len(t.slots) - 1)
	for i := hash >> t.shift; ; i = (i + 1) & mask {
		s := &t.slots[i&mask]
		if s.word == w || s.hash == hash && w.long() && t.equalLong(s.word, w) {
			s.count += count
			return
		}
		if s.count == 0 {
			*s = slot{word: w, hash: hash, count: count}
			t.used++
			if 2*t.used > len(t.slots) {
				t.grow()
			}
			return
		}
	}
}

// touch loads the slots where probing for the hashes begins. The loads depend on nothing, so they overlap.
func (t *table) touch(hashes []uint64) {
	slots, sum := t.slots, uint64(0)
	for _, h := range hashes {
		sum += slots[h>>t.shift].count
	}
	t.touched = sum
}

func (t *table) equalLong(a, b word) bool {
	return a.hi == b.hi && bytes.Equal(a.bytes(t.text), b.bytes(t.text))
}

func (t *table) grow() {
	bigger := newTable(t.text, 2*len(t.slots))
	mask := uint64(len(bigger.slots) - 1)
	for _, s := range t.slots {
		if s.count == 0 {
			continue
		}
		i := s.hash >> bigger.shift
		for bigger.slots[i].count != 0 {
			i = (i + 1) & mask
		}
		bigger.slots[i] = s
	}
	t.slots, t.shift = bigger.slots, bigger.shift
}

// merge adds up what all tables hold of share n: the n-th of as many equal ranges of the hash as there are tables.
func merge(text []byte, tables []*table, n int) *table {
	largest := 0
	for _, t := range tables {
		largest = max(largest, len(t.slots))
	}
	merged := newTable(text, largest/len(tables))
	for _, t := range tables {
		t.eachOfShare(n, len(tables), func(s *slot) { merged.add(s.word, s.hash, s.count) })
	}
	return merged
}

// eachOfShare visits the words of share n of shares. Probing may have moved some of them past the end of the share's
// slots, but never over a free one.
func (t *table) eachOfShare(n, shares int, visit func(*slot)) {
	size := len(t.slots)
	begin, end := n*size/shares, (n+1)*size/shares+1
	for i := begin; i < begin+size; i++ {
		s := &t.slots[i%size]
		if s.count == 0 {
			if i >= end {
				return
			}
			continue
		}
		if share, _ := bits.Mul64(s.hash, uint64(shares)); share == uint64(n) {
			visit(s)
		}
	}
}
