package exec

// NewCombiningTable returns an empty table as a combiner has it, which may grow as it likes.
func NewCombiningTable[A any]() *Table[A] { return newTable[A](nil, minSlots, combining) }

// NewAggregatingTable returns an empty table as the reading side has it, likewise.
func NewAggregatingTable[A any]() *Table[A] { return newTable[A](nil, minSlots, aggregating) }

// LongestSearch returns how many slots the search for a present key looks at, at most.
func (t *Table[A]) LongestSearch() (steps int) {
	mask := uint64(len(t.slots) - 1)
	for _, p := range t.Places() {
		steps = max(steps, int((uint64(p)-t.place(t.slots[p].hash()))&mask)+1)
	}
	return steps
}
