package exec

import (
	"sync/atomic"

	"fletch/engine/batch"
)

// Fold is how records become an accumulator and accumulators one. Fresh says that acc is zero, as its key is new.
type Fold[V, A any] struct {
	Add   func(acc *A, v V, fresh bool)
	Merge func(acc *A, other A, fresh bool)
	// Count replaces Add where a vector of keys without values is added to a table. It may be nil.
	Count func(t *Table[A], keys *batch.Vector)
}

// None is the value of a record that is all key.
type None struct{}

// CountFold counts records.
var CountFold = Fold[None, int64]{
	Add:   func(acc *int64, _ None, _ bool) { *acc++ },
	Merge: func(acc *int64, other int64, _ bool) { *acc += other },
	Count: countKeys,
}

// DistinctFold keeps nothing but the keys.
var DistinctFold = Fold[None, None]{
	Add:   func(*None, None, bool) {},
	Merge: func(*None, None, bool) {},
	Count: func(t *Table[None], keys *batch.Vector) {
		var at [vectorRows]uint32
		var fresh [vectorRows]bool
		t.Locate(keys, at[:], fresh[:])
	},
}

// Keyed is what a keyed exchange knows of its types: K and V come in, K and A are moved.
type Keyed[K, V, A any] struct {
	Node  int // whose code Fold is
	Codec *batch.Codec[batch.KV[K, A]]
	Keyer func() *batch.Keyer[K] // a new one
	Fold  Fold[V, A]
	// Slots is how many the last combiner of the job ended with: the next one begins with as many, as growing to there
	// costs as much as filling them.
	Slots *atomic.Int64
}
