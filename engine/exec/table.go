package exec

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"fletch/engine/batch"
)

// Table holds one accumulator of type A for each key: open addressing with linear probing. A key of at most 15 bytes
// lies beside its accumulator, so that finding it touches one cache line, rarely two.
//
// A slot's place is given by the high bits of the key's hash after a multiplication that differs from one use of tables
// to the next. Keys that come in the order of another table, or of their hashes, would otherwise fill one table from its
// beginning and probe ever longer.
type Table[A any] struct {
	slots []slot[A] // a power of two of them
	odd   uint64    // what hashes are multiplied by
	shift uint      // from a hash to its place
	used  int
	long  arena
	touch uint64 // keeps the loads of warm alive
}

// slot is empty while hi is zero; no key has that.
type slot[A any] struct {
	lo, hi uint64
	acc    A
}

const minSlots = 1 << 10

// The uses of tables, as what their hashes are multiplied by: fractions of the golden ratio and of the square root of 3.
const (
	combining   = 0x9e3779b97f4a7c15
	aggregating = 0xbb67ae8584caa73b
)

func newTable[A any](slots int, odd uint64) *Table[A] {
	t := &Table[A]{odd: odd}
	t.resize(slots)
	return t
}

// place is where the search for a key of this hash begins.
func (t *Table[A]) place(hash uint64) uint64 { return hash * t.odd >> (t.shift & 63) }

func (t *Table[A]) resize(n int) {
	t.slots = make([]slot[A], n)
	preferHugePages(t.slots)
	t.shift = uint(64 - bits.TrailingZeros(uint(n)))
}

// Len returns the number of keys.
func (t *Table[A]) Len() int { return t.used }

// Bytes returns the memory that the table occupies, without what accumulators point to.
func (t *Table[A]) Bytes() int64 {
	return int64(len(t.slots))*int64(unsafe.Sizeof(slot[A]{})) + t.long.bytes
}

// GrownBytes returns what Bytes might become while n further keys are added.
func (t *Table[A]) GrownBytes(n int) int64 {
	if t.fits(n) {
		return t.Bytes()
	}
	return 3 * t.Bytes() // the old slots and twice as many new ones
}

// fits tells whether n more keys leave a quarter of the slots empty.
func (t *Table[A]) fits(n int) bool { return t.used+n <= len(t.slots)-len(t.slots)/4 }

// Locate finds the slot of each key, adding those that are missing. at[i] is the place of keys.Words[i] and stays valid
// until the following call; fresh[i] says that the key was added, with a zero accumulator.
func (t *Table[A]) Locate(keys *batch.Vector, at []uint32, fresh []bool) {
	words := keys.Words
	at, fresh = at[:len(words)], fresh[:len(words)]
	t.prepare(words)
	slots, odd, shift := t.slots, t.odd, t.shift&63
	for i := range words {
		w := &words[i]
		place := w.Hash * odd >> shift
		if s := &slots[place]; s.lo == w.Lo && s.hi == w.Hi { // most keys are short, known and where they belong
			at[i], fresh[i] = uint32(place), false
		} else {
			at[i], fresh[i] = t.locate(w, keys.Long[i])
		}
	}
}

// countKeys adds one to the count of each key: Locate and the sum in one pass.
func countKeys(t *Table[int64], keys *batch.Vector) {
	words := keys.Words
	t.prepare(words)
	slots, odd, shift := t.slots, t.odd, t.shift&63
	for i := range words {
		w := &words[i]
		if s := &slots[w.Hash*odd>>shift]; s.lo == w.Lo && s.hi == w.Hi {
			s.acc++
		} else {
			place, _ := t.locate(w, keys.Long[i])
			slots[place].acc++
		}
	}
}

// prepare makes room for as many new keys and loads the slots that they are looked for in.
func (t *Table[A]) prepare(words []batch.Words) {
	for !t.fits(len(words)) {
		t.grow()
	}
	t.warm(words)
}

// warm loads the slots that keys will be looked for in, of each its first and last word, as a slot may lie in two cache
// lines. The loads do not depend on one another, so the misses of a whole vector overlap, where probing key by key would
// wait for each in turn.
func (t *Table[A]) warm(words []batch.Words) {
	last := unsafe.Sizeof(slot[A]{}) - 8
	var sum uint64
	slots, odd, shift := t.slots, t.odd, t.shift&63
	for i := range words {
		s := &slots[words[i].Hash*odd>>shift]
		sum += s.lo + *(*uint64)(unsafe.Add(unsafe.Pointer(s), last))
	}
	t.touch = sum
}

// locate probes for a key, whose bytes are long if it is a long one.
func (t *Table[A]) locate(w *batch.Words, long string) (place uint32, fresh bool) {
	if w.Hi == batch.LongTag {
		return t.locateLong(w, long)
	}
	mask := uint64(len(t.slots) - 1)
	for i := t.place(w.Hash); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.lo == w.Lo && s.hi == w.Hi {
			return uint32(i), false
		}
		if s.hi == 0 {
			s.lo, s.hi = w.Lo, w.Hi
			t.used++
			return uint32(i), true
		}
	}
}

func (t *Table[A]) locateLong(w *batch.Words, key string) (place uint32, fresh bool) {
	mask := uint64(len(t.slots) - 1)
	for i := t.place(w.Hash); ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.hi >= batch.LongTag && s.lo == w.Lo && t.long.at(s.hi) == key {
			return uint32(i), false
		}
		if s.hi == 0 {
			s.lo, s.hi = w.Lo, t.long.add(key)
			t.used++
			return uint32(i), true
		}
	}
}

// grow doubles the slots.
func (t *Table[A]) grow() {
	old := t.slots
	t.resize(2 * len(old))
	mask := uint64(len(t.slots) - 1)
	for k := range old {
		if old[k].hi == 0 {
			continue
		}
		i := t.place(batch.HashOf(old[k].lo, old[k].hi))
		for t.slots[i].hi != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = old[k]
	}
}

// Acc returns the accumulator at a place, valid until the following Locate or Clear.
func (t *Table[A]) Acc(place uint32) *A { return &t.slots[place].acc }

// Key returns the normalised key at a place. It is a view of the table, which must not change any more while the key is
// in use.
func (t *Table[A]) Key(place uint32) string {
	s := &t.slots[place]
	if s.hi >= batch.LongTag {
		return t.long.at(s.hi)
	}
	return unsafe.String((*byte)(unsafe.Pointer(&s.lo)), int(s.hi>>56)-1)
}

// Hash returns the hash of the key at a place.
func (t *Table[A]) Hash(place uint32) uint64 {
	return batch.HashOf(t.slots[place].lo, t.slots[place].hi)
}

// Places returns the place of each key, in no order of meaning.
func (t *Table[A]) Places() []uint32 {
	places := make([]uint32, 0, t.used)
	for i := range t.slots {
		if t.slots[i].hi != 0 {
			places = append(places, uint32(i))
		}
	}
	return places
}

// Sorted returns the place of each key, in increasing order of the keys. It calls pause now and then.
func (t *Table[A]) Sorted(pause func()) []uint32 {
	return t.sorted(sorting{pause: pause}, func(place uint32) uint64 {
		if s := &t.slots[place]; s.hi < batch.LongTag {
			return bits.ReverseBytes64(s.lo)
		}
		return binary.BigEndian.Uint64([]byte(t.Key(place)[:8]))
	})
}

// SortedByHash returns the place of each key in an order that depends on the keys alone, at a lower price than theirs.
func (t *Table[A]) SortedByHash(pause func()) []uint32 {
	return t.sorted(sorting{pause: pause, apart: true}, t.Hash)
}

func (t *Table[A]) sorted(by sorting, prefix func(place uint32) uint64) []uint32 {
	places := t.Places()
	order := make([]ranked, len(places))
	for i, p := range places {
		order[i] = ranked{prefix(p), uint64(p)}
	}
	by.key = func(at uint64) []byte {
		key := t.Key(uint32(at))
		return unsafe.Slice(unsafe.StringData(key), len(key))
	}
	by.sort(order)
	for i, o := range order {
		places[i] = uint32(o.at)
	}
	return places
}

// Clear empties the table and keeps its slots.
func (t *Table[A]) Clear() {
	clear(t.slots)
	t.used = 0
	t.long = arena{}
}

// arena keeps the bytes of long keys. A chunk never moves, so views of it stay valid.
type arena struct {
	keys  []string
	chunk []byte
	bytes int64
}

const arenaChunk = 64 << 10

// add copies key and returns its mark for slot.hi: LongTag with a number from 1 on. No slot has the bare LongTag that
// every long key comes with, so a long key is never found by its words alone, which may be those of another.
func (a *arena) add(key string) uint64 {
	if len(key) > cap(a.chunk)-len(a.chunk) {
		a.chunk = make([]byte, 0, max(arenaChunk, len(key)))
		a.bytes += int64(cap(a.chunk))
	}
	start := len(a.chunk)
	a.chunk = append(a.chunk, key...)
	copied := a.chunk[start:]
	a.keys = append(a.keys, unsafe.String(unsafe.SliceData(copied), len(copied)))
	a.bytes += int64(unsafe.Sizeof(key))
	return batch.LongTag | uint64(len(a.keys))
}

// at returns the key with this mark.
func (a *arena) at(mark uint64) string { return a.keys[(mark&^batch.LongTag)-1] }
