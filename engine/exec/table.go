package exec

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"fletch/engine/batch"
	"fletch/engine/budget"
)

// Table holds one accumulator of type A for each key: open addressing with linear probing. A key of at most 15 bytes
// lies beside its accumulator, so that finding it touches one cache line, rarely two.
//
// A slot's place is given by the high bits of the key's hash after a multiplication that differs from one use of tables
// to the next. Keys that come in the order of another table, or of their hashes, would otherwise fill one table from its
// beginning and probe ever longer.
//
// The memory of slots and of long keys is taken from a share. What accumulators point to is not seen here: see hold.
type Table[A any] struct {
	slots []slot[A] // a power of two of them
	odd   uint64    // what hashes are multiplied by
	shift uint      // from a hash to its place
	used  int
	long  arenas
	share *budget.Share // nil if the owner has taken the memory
	taken int64         // from share
	ready bool          // awaitRoom has made room for the keys that Room is called with next
	touch uint64        // keeps the loads of warm alive
}

// slot is empty while hi is zero; no key has that.
type slot[A any] struct {
	lo, hi uint64
	acc    A
}

// minSlots is the size of a table that is begun. It is taken from the share without asking; a vector of keys fits in.
const minSlots = 1 << 10

// The uses of tables, as what their hashes are multiplied by: fractions of the golden ratio and of the square root of 3.
const (
	combining   = 0x9e3779b97f4a7c15
	aggregating = 0xbb67ae8584caa73b
)

// newTable returns a table of as many slots, a power of two, as the share grants, at most so many. Without a share it has
// that many, and takes no more keys than there is room for.
func newTable[A any](share *budget.Share, slots int, odd uint64) *Table[A] {
	t := &Table[A]{odd: odd, share: share}
	t.resize(t.allot(slots))
	return t
}

// slotBytes returns the size of so many slots.
func (t *Table[A]) slotBytes(n int) int64 { return int64(n) * int64(unsafe.Sizeof(slot[A]{})) }

// allot takes the memory of n slots, or of the half of these and so on, and returns their number.
func (t *Table[A]) allot(n int) int {
	for ; n > minSlots; n /= 2 {
		if t.take(t.slotBytes(n)) {
			return n
		}
	}
	t.must(t.slotBytes(minSlots))
	return minSlots
}

func (t *Table[A]) take(bytes int64) bool {
	if t.share == nil {
		return true
	}
	if !t.share.Take(bytes) {
		return false
	}
	t.taken += bytes
	return true
}

func (t *Table[A]) must(bytes int64) {
	if t.share != nil {
		t.share.Must(bytes)
		t.taken += bytes
	}
}

func (t *Table[A]) give(bytes int64) {
	if t.share != nil {
		t.share.Give(bytes)
		t.taken -= bytes
	}
}

// hold counts bytes that accumulators have come to keep. They are there already, so they are not refused, but Room is,
// once the share is overdrawn. Clear gives them back.
func (t *Table[A]) hold(bytes int64) { t.must(bytes) }

// place is where the search for a key of this hash begins.
func (t *Table[A]) place(hash uint64) uint64 { return hash * t.odd >> (t.shift & 63) }

func (t *Table[A]) resize(n int) {
	t.slots = make([]slot[A], n)
	preferHugePages(t.slots)
	t.shift = uint(64 - bits.TrailingZeros(uint(n)))
}

// Len returns the number of keys.
func (t *Table[A]) Len() int { return t.used }

// Room makes sure that keys can be added, all of which may be new. It returns false, and the table is as it was, where the
// share does not grant the memory, or the share is overdrawn and the table could give some back.
func (t *Table[A]) Room(keys *batch.Vector) bool {
	switch {
	case t.ready:
		t.ready = false
		return true
	case t.used > 0 || keys.LongBytes > 0:
		if !t.take(keys.LongBytes) {
			return false
		}
		t.give(keys.LongBytes) // it is taken in larger pieces, when the arenas grow
	}
	for !t.fits(len(keys.Words)) {
		if !t.grow() {
			return false
		}
	}
	return true
}

// missing returns how many bytes the share has to grant for room for keys.
func (t *Table[A]) missing(keys *batch.Vector) int64 {
	if n := t.slotsWith(len(keys.Words)); n > len(t.slots) {
		return keys.LongBytes + t.slotBytes(n)
	}
	return keys.LongBytes
}

// awaitRoom waits until the table has room for keys: the following call of Room returns true.
func (t *Table[A]) awaitRoom(task *Task, keys *batch.Vector) error {
	if err := task.await(t.missing(keys)); err != nil {
		return err
	}
	task.Share.Give(keys.LongBytes) // as Room does
	if n := t.slotsWith(len(keys.Words)); n > len(t.slots) {
		t.taken += t.slotBytes(n)
		t.move(n)
	}
	t.ready = true
	return nil
}

// fits tells whether n more keys leave a quarter of the slots empty.
func (t *Table[A]) fits(n int) bool { return t.fitsIn(len(t.slots), n) }

func (t *Table[A]) fitsIn(slots, n int) bool { return t.used+n <= slots-slots/4 }

// slotsWith returns how many slots the table has once n more keys fit.
func (t *Table[A]) slotsWith(n int) int {
	slots := len(t.slots)
	for !t.fitsIn(slots, n) {
		slots *= 2
	}
	return slots
}

// grow doubles the slots, if the share grants that.
func (t *Table[A]) grow() bool {
	n := 2 * len(t.slots)
	if !t.take(t.slotBytes(n)) {
		return false
	}
	t.move(n)
	return true
}

// move moves the keys to n slots, whose memory has been taken, and gives that of the old ones back.
func (t *Table[A]) move(n int) {
	old := t.slots
	defer t.give(t.slotBytes(len(old)))
	t.resize(n)
	mask := uint64(len(t.slots) - 1)
	for k := range old {
		if old[k].hi == 0 {
			continue
		}
		i := t.place(old[k].hash())
		for t.slots[i].hi != 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = old[k]
	}
}

// Locate finds the slot of each key, adding those that are missing; the caller has made sure that there is Room. at[i] is
// the place of keys.Words[i] and stays valid until the following call; fresh[i] says that the key was added, with a zero
// accumulator.
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

// prepare loads the slots that keys are looked for in.
func (t *Table[A]) prepare(words []batch.Words) {
	if !t.fits(len(words)) {
		panic("exec: keys are added to a table that has no room for them")
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
			mark, bytes := t.long.add(key, w.Hash)
			if bytes > 0 {
				t.must(bytes)
			}
			s.lo, s.hi = w.Lo, mark
			t.used++
			return uint32(i), true
		}
	}
}

// Acc returns the accumulator at a place, valid until the following Locate, Sort or Clear.
func (t *Table[A]) Acc(place uint32) *A { return &t.slots[place].acc }

// Key returns the normalised key at a place. It is a view of the table, which must not change any more while the key is
// in use.
func (t *Table[A]) Key(place uint32) string { return t.slots[place].key(&t.long) }

// key is a view of the slot, or of the arena of a long key.
func (s *slot[A]) key(long *arenas) string {
	if s.hi >= batch.LongTag {
		return long.at(s.hi)
	}
	return unsafe.String((*byte)(unsafe.Pointer(&s.lo)), int(s.hi>>56)-1)
}

// orderKey returns what keyOrder appends for the slot's key: a view of the slot or its arena, or of buf where hashes come first.
func (s *slot[A]) orderKey(long *arenas, byHash bool, buf *[]byte) []byte {
	key := s.key(long)
	if byHash {
		*buf = append(binary.BigEndian.AppendUint64((*buf)[:0], s.hash()), key...)
		return *buf
	}
	return unsafe.Slice(unsafe.StringData(key), len(key))
}

// warmLong loads the long keys of slots, for the reason of warm: they lie in the order in which they came.
func (t *Table[A]) warmLong(slots []slot[A]) {
	var sum uint64
	for i := range slots {
		if s := &slots[i]; s.hi >= batch.LongTag {
			key := t.long.at(s.hi)
			sum += uint64(key[0]) + uint64(key[len(key)-1])
		}
	}
	t.touch = sum
}

// hash returns the hash of the slot's key; not after a Sort by keys.
func (s *slot[A]) hash() uint64 { return batch.HashOf(s.lo, s.hi) }

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

// Clear empties the table. It keeps as many slots as the share grants now.
func (t *Table[A]) Clear() {
	slots := t.slots
	t.release()
	if n := t.allot(len(slots)); n == len(slots) {
		clear(slots)
		t.slots = slots
	} else {
		t.resize(n)
	}
}

// release gives all memory back. Until it is cleared the table takes no keys.
func (t *Table[A]) release() {
	t.give(t.taken)
	t.slots, t.used, t.long, t.ready = nil, 0, arenas{}, false
}
