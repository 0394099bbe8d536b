package exec

import (
	"bytes"
	"cmp"
	"slices"
)

// ranked is something with a key, by the key's first eight bytes: big-endian, followed by zeroes where it is shorter.
type ranked struct {
	prefix uint64
	at     uint64 // what it is: of two with equal keys, the smaller one comes first
}

// sorting sorts items by their keys, those with equal keys by at: a radix sort from the least significant byte of the
// upper half of the prefix, which tells most keys apart, and then what is left by comparison. Where many share their
// prefix, the next eight bytes take its place, and so on (McIlroy, Bostic, McIlroy: Engineering Radix Sort, 1993, by words
// in place of bytes).
type sorting struct {
	// tail returns what follows the prefix in the key of an item. It is nil where the prefixes are all there is.
	tail func(at uint64) []byte
	// pause is called now and then.
	pause   func()
	scratch []ranked // as long as the longest list of items
	steps   int
}

const (
	wordBytes = 8
	// comparedItems is up to how many items comparing is faster than counting.
	comparedItems = 96
	// deepest is up to how many bytes that many keys share they are told apart by counting: a step of the recursion a word.
	deepest = 64 * wordBytes
	// pauseItems is how many items are moved between two calls of pause.
	pauseItems = 1 << 16
)

// sort sorts items, which are in the order of at.
func (s *sorting) sort(items []ranked) {
	if cap(s.scratch) < len(items) {
		s.scratch = make([]ranked, len(items))
	}
	s.sortWord(items, 0)
}

// sortWord sorts items whose tails agree in the bytes before depth. Their prefix is the word before that.
func (s *sorting) sortWord(items []ranked, depth int) {
	if len(items) <= comparedItems {
		s.compared(items, depth)
		return
	}
	s.radix(items, 32)
	s.groups(items, 32, func(group []ranked) {
		if len(group) <= comparedItems {
			s.compared(group, depth)
			return
		}
		s.radix(group, 0)
		s.groups(group, 0, func(equal []ranked) { s.beyond(equal, depth) })
	})
}

// groups calls f for each run of more than one item whose prefixes agree from bit shift on.
func (s *sorting) groups(items []ranked, shift uint, f func([]ranked)) {
	for lo := 0; lo < len(items); {
		first := items[lo].prefix >> (shift & 63)
		hi := lo + 1
		for hi < len(items) && items[hi].prefix>>(shift&63) == first {
			hi++
		}
		if hi-lo > 1 {
			f(items[lo:hi])
		}
		lo = hi
	}
}

// beyond sorts items of one prefix, whose tails agree in the bytes before depth, by what follows there.
func (s *sorting) beyond(items []ranked, depth int) {
	if s.tail == nil {
		return // the prefix was all, and they stand in the order of at
	}
	if len(items) <= comparedItems || depth >= deepest {
		s.compared(items, depth)
		return
	}
	// Those that end here come first, of them the shortest; the others are sorted by their next word.
	longer, ended := s.scratch[:0], 0
	for _, it := range items {
		if tail := s.tail(it.at); len(tail) > depth {
			longer = append(longer, ranked{prefixOf(tail[depth:]), it.at})
		} else {
			items[ended] = it
			ended++
		}
	}
	s.compared(items[:ended], depth)
	rest := items[ended:]
	if len(rest) == 0 {
		return
	}
	word := items[0].prefix
	copy(rest, longer)
	s.sortWord(rest, depth+wordBytes)
	for i := range rest {
		rest[i].prefix = word
	}
}

// compared sorts items, a few or such as end here, whose tails agree in the bytes before depth, by comparison.
func (s *sorting) compared(items []ranked, depth int) {
	slices.SortFunc(items, func(a, b ranked) int {
		s.step(1)
		switch {
		case a.prefix != b.prefix:
			return cmp.Compare(a.prefix, b.prefix)
		case s.tail == nil:
			return cmp.Compare(a.at, b.at)
		}
		// Of tails that both end before depth, one has more zero bytes than the other.
		x, y := s.tail(a.at), s.tail(b.at)
		return cmp.Or(bytes.Compare(x[min(depth, len(x)):], y[min(depth, len(y)):]), cmp.Compare(len(x), len(y)), cmp.Compare(a.at, b.at))
	})
}

// radix sorts items by the 32 bits of their prefixes from bit shift on, keeping the order of equal ones. The number of
// passes is even or what is left in scratch is copied back.
func (s *sorting) radix(items []ranked, shift uint) {
	var counts [4][256]uint32
	for i := range items {
		w := uint32(items[i].prefix >> (shift & 63))
		counts[0][byte(w)]++
		counts[1][byte(w>>8)]++
		counts[2][byte(w>>16)]++
		counts[3][w>>24]++
	}
	from, to := items, s.scratch[:len(items)]
	for digit := range counts {
		if s.pass(&counts[digit], from, to, shift+uint(8*digit)) {
			from, to = to, from
		}
	}
	if &from[0] != &items[0] {
		copy(items, from)
	}
}

// pass distributes items by one byte; it returns false where they all share that, and so need not be moved.
func (s *sorting) pass(count *[256]uint32, from, to []ranked, shift uint) bool {
	s.step(len(from))
	if int(count[byte(from[0].prefix>>(shift&63))]) == len(from) {
		return false
	}
	sum := uint32(0)
	for i, n := range count {
		count[i] = sum
		sum += n
	}
	for _, it := range from {
		place := &count[byte(it.prefix>>(shift&63))]
		to[*place] = it
		*place++
	}
	return true
}

// step calls pause once enough has been done since the last time.
func (s *sorting) step(items int) {
	if s.steps += items; s.steps >= pauseItems {
		s.steps = 0
		s.pause()
	}
}
