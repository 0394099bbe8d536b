package exec

// rangeLens returns the number of keys in each range of hashes.
func (t *Table[A]) rangeLens() (lens [hashRanges]int) {
	for i := range t.slots {
		if s := &t.slots[i]; s.hi != 0 {
			lens[rangeOf(s.hash())]++
		}
	}
	return lens
}

// cut removes the n keys of some ranges of hashes and returns their slots, in no order. The arenas keep the long ones among
// them until drop.
func (t *Table[A]) cut(ranges *[hashRanges]bool, n int) []slot[A] {
	removed := make([]slot[A], 0, n)
	for i := range t.slots {
		for t.slots[i].hi != 0 && ranges[rangeOf(t.slots[i].hash())] {
			removed = append(removed, t.slots[i])
			t.remove(i)
		}
	}
	t.used -= n
	return removed
}

// remove empties a slot and brings what stands behind it closer to where its search begins (Knuth, The Art of Computer
// Programming, volume 3, section 6.4, algorithm R).
func (t *Table[A]) remove(hole int) {
	mask := len(t.slots) - 1
	for i := (hole + 1) & mask; t.slots[i].hi != 0; i = (i + 1) & mask {
		begin := int(t.place(t.slots[i].hash()))
		if (i-begin)&mask >= (i-hole)&mask {
			t.slots[hole] = t.slots[i]
			hole = i
		}
	}
	t.slots[hole] = slot[A]{}
}

// drop lets go of the long keys of a range that has been cut.
func (t *Table[A]) drop(r int) {
	t.give(t.long[r].bytes)
	t.long[r] = arena{}
}
