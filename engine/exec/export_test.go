package exec

// NewCombiningTable returns an empty table as a combiner has it.
func NewCombiningTable[A any]() *Table[A] { return newTable[A](minSlots, combining) }

// NewAggregatingTable returns an empty table as the reading side has it.
func NewAggregatingTable[A any]() *Table[A] { return newTable[A](minSlots, aggregating) }

// LongestSearch returns how many slots the search for a present key looks at, at most.
func (t *Table[A]) LongestSearch() (steps int) {
	mask := uint64(len(t.slots) - 1)
	for _, p := range t.Places() {
		steps = max(steps, int((uint64(p)-t.place(t.Hash(p)))&mask)+1)
	}
	return steps
}
