package exec

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"

	"fletch/engine/batch"
)

// Sort brings the keys to the places from 0 to Len, in increasing order, or in that of their hashes and then of the keys,
// which is cheaper. It takes no memory. Afterwards the table can be read by its places and be cleared, and no more. It calls
// pause now and then.
func (t *Table[A]) Sort(ordered bool, pause func()) {
	n := 0
	for i := range t.slots {
		if t.slots[i].hi != 0 {
			t.slots[n], t.slots[i] = t.slots[i], t.slots[n]
			n++
		}
	}
	s := slotSort[A]{long: &t.long, byHash: !ordered, pause: pause}
	s.sort(t.slots[:n])
}

// slotSort sorts slots in place by the bytes of their keys, the most significant first: an American flag sort (P. McIlroy, K.
// Bostic, M. McIlroy: Engineering Radix Sort, 1993). It goes through keys by words of eight bytes. What two words hold of a
// short key is in its slot; the word of a long key that is looked at lies in slot.lo, where the hash was.
type slotSort[A any] struct {
	long   *arenas
	byHash bool // by the hashes, which are the one word that is looked at
	pause  func()
	steps  int
}

const (
	// comparedSlots is up to how many slots comparing is faster than counting.
	comparedSlots = 24
	// pauseSlots is how many slots are moved between two calls of pause.
	pauseSlots = 1 << 14
)

func (s *slotSort[A]) sort(slots []slot[A]) {
	if !s.byHash {
		s.load(slots, 0)
	}
	s.sortWord(slots, 0)
}

// load brings the words at depth of long keys into their slots.
func (s *slotSort[A]) load(slots []slot[A], depth int) {
	for i := range slots {
		if e := &slots[i]; e.hi >= batch.LongTag {
			var word [wordBytes]byte
			copy(word[:], s.long.at(e.hi)[depth:])
			e.lo = binary.LittleEndian.Uint64(word[:])
		}
	}
}

// word returns the word at depth of a slot's key.
func (s *slotSort[A]) word(e *slot[A], depth int) uint64 {
	switch {
	case s.byHash:
		return e.hash()
	case depth == 0 || e.hi >= batch.LongTag:
		return bits.ReverseBytes64(e.lo)
	default:
		return bits.ReverseBytes64(e.hi) &^ 0xff // the length
	}
}

// sortWord sorts slots whose keys agree in the bytes before depth and, by the bits of the word there that were looked at
// before, in some more.
func (s *slotSort[A]) sortWord(slots []slot[A], depth int) {
	if len(slots) <= comparedSlots {
		s.insertion(slots, depth)
		return
	}
	first, differ := s.word(&slots[0], depth), uint64(0)
	for i := range slots {
		differ |= first ^ s.word(&slots[i], depth)
	}
	if differ == 0 {
		s.beyond(slots, depth+wordBytes)
		return
	}
	var ends [256]int
	s.partition(slots, depth, uint(bits.Len64(differ)-1)&^7, &ends)
	from := 0
	for _, end := range ends {
		if end-from > 1 {
			s.sortWord(slots[from:end], depth)
		}
		from = end
	}
}

// partition sorts slots by one byte of the word at depth and returns where those of each value end.
func (s *slotSort[A]) partition(slots []slot[A], depth int, shift uint, ends *[256]int) {
	for i := range slots {
		ends[byte(s.word(&slots[i], depth)>>(shift&63))]++
	}
	var next [256]int
	sum := 0
	for b, n := range ends {
		next[b] = sum
		sum += n
		ends[b] = sum
	}
	for b := range next {
		s.step(ends[b] - next[b])
		for next[b] < ends[b] {
			e := slots[next[b]]
			for {
				to := byte(s.word(&e, depth) >> (shift & 63))
				place := &next[to]
				if int(to) == b {
					slots[*place] = e
					*place++
					break
				}
				e, slots[*place] = slots[*place], e
				*place++
			}
		}
	}
}

// beyond sorts slots whose keys agree in the bytes before depth, a key that is shorter counting as followed by zeroes.
func (s *slotSort[A]) beyond(slots []slot[A], depth int) {
	if s.byHash || depth >= deepest {
		s.compared(slots)
		return
	}
	if depth > wordBytes {
		// Those that end here come first, of them the shortest.
		ended := 0
		for i := range slots {
			if e := &slots[i]; e.hi < batch.LongTag || len(s.long.at(e.hi)) <= depth {
				slots[ended], slots[i] = slots[i], slots[ended]
				ended++
			}
		}
		s.compared(slots[:ended])
		slots = slots[ended:]
	}
	s.load(slots, depth)
	s.sortWord(slots, depth)
}

func (s *slotSort[A]) insertion(slots []slot[A], depth int) {
	for i := 1; i < len(slots); i++ {
		e := slots[i]
		word := s.word(&e, depth)
		k := i
		for k > 0 {
			before := s.word(&slots[k-1], depth)
			if before < word || before == word && s.compare(&slots[k-1], &e) <= 0 {
				break
			}
			slots[k] = slots[k-1]
			k--
		}
		slots[k] = e
	}
}

// compared sorts slots by comparing their whole keys.
func (s *slotSort[A]) compared(slots []slot[A]) {
	slices.SortFunc(slots, func(a, b slot[A]) int {
		s.step(1)
		return s.compare(&a, &b)
	})
}

// compare compares whole keys.
func (s *slotSort[A]) compare(a, b *slot[A]) int {
	if a.hi < batch.LongTag && b.hi < batch.LongTag {
		return cmp.Or(cmp.Compare(bits.ReverseBytes64(a.lo), bits.ReverseBytes64(b.lo)), cmp.Compare(bits.ReverseBytes64(a.hi), bits.ReverseBytes64(b.hi)))
	}
	return strings.Compare(a.key(s.long), b.key(s.long))
}

func (s *slotSort[A]) step(slots int) {
	if s.steps += slots; s.steps >= pauseSlots {
		s.steps = 0
		s.pause()
	}
}
