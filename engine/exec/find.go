package exec

import "fletch/engine/batch"

// Find looks for keys and adds none: at[i] is the place of keys.Words[i] if found[i].
func (t *Table[A]) Find(keys *batch.Vector, at []uint32, found []bool) {
	words := keys.Words
	at, found = at[:len(words)], found[:len(words)]
	t.warm(words)
	for i := range words {
		at[i], found[i] = t.find(&words[i], keys.Long[i])
	}
}

// find probes for a key, whose bytes are long if it is a long one.
func (t *Table[A]) find(w *batch.Words, long string) (place uint32, found bool) {
	mask := uint64(len(t.slots) - 1)
	for i := t.place(w.Hash); ; i = (i + 1) & mask {
		s := &t.slots[i]
		switch {
		case s.hi == 0:
			return 0, false
		case s.lo != w.Lo:
		case s.hi == w.Hi, w.Hi == batch.LongTag && s.hi > batch.LongTag && t.long.at(s.hi) == long:
			return uint32(i), true
		}
	}
}
