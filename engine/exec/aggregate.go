package exec

import (
	"sync/atomic"
	"unsafe"

	"fletch/engine/batch"
)

// Fold is how records become an accumulator and accumulators one. Fresh says that acc is zero, as its key is new.
type Fold[V, A any] struct {
	Add   func(acc *A, v V, fresh bool)
	Merge func(acc *A, other A, fresh bool)
	// Count replaces Add where records have no value: it adds a vector of keys. It may be nil.
	Count func(t *Table[A], keys *batch.Vector)
}

// None is the value of a record that is all key.
type None struct{}

// CountFold counts records.
var CountFold = Fold[None, int64]{
	Merge: func(acc *int64, other int64, _ bool) { *acc += other },
	Count: countKeys,
}

// DistinctFold keeps nothing but the keys.
var DistinctFold = Fold[None, None]{
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

// Combine returns the stream that folds records by key into a table and writes its accumulators, partitioned by the
// key's hash, when the table would pass the task's TableBytes and at the end. Split takes a record apart.
func Combine[T, K, V, A any](t *Task, port Port, partitions int, x Keyed[K, V, A], split func(T) (K, V)) Stream {
	c := newCombiner(t, port, partitions, x)
	return Stream{Consume: func(rec T) bool {
		n := c.n
		c.keys[n], c.values[n] = split(rec)
		if c.n = n + 1; c.n == vectorRows {
			c.flush()
		}
		return true
	}, Finish: c.finish}
}

// CombineKeys is Combine for records that are all key.
func CombineKeys[K, A any](t *Task, port Port, partitions int, x Keyed[K, None, A]) Stream {
	c := newCombiner(t, port, partitions, x)
	return Stream{Consume: func(key K) bool {
		n := c.n
		c.keys[n] = key
		if c.n = n + 1; c.n == vectorRows {
			c.flush()
		}
		return true
	}, Finish: c.finish}
}

func newCombiner[K, V, A any](t *Task, port Port, partitions int, x Keyed[K, V, A]) *combiner[K, V, A] {
	return &combiner[K, V, A]{
		task: t, node: x.Node, fold: x.Fold, keyer: x.Keyer(), table: newTable[A](max(minSlots, int(x.Slots.Load())), combining), slots: x.Slots,
		out: newEncoder(t, x.Node, port, x.Codec), partitions: partitions,
	}
}

// combiner collects a vector of records before it touches the table: see Table.warm.
type combiner[K, V, A any] struct {
	task       *Task
	node       int
	fold       Fold[V, A]
	keyer      *batch.Keyer[K]
	table      *Table[A]
	slots      *atomic.Int64 // see Keyed
	out        *encoder[batch.KV[K, A]]
	partitions int

	n      int // records in keys and values
	keys   [vectorRows]K
	values [vectorRows]V
	vector batch.Vector
	at     [vectorRows]uint32
	fresh  [vectorRows]bool
}

// flush folds the collected records into the table.
func (c *combiner[K, V, A]) flush() {
	c.task.pause()
	n := c.n
	c.n = 0
	if n == 0 {
		return
	}
	if c.table.GrownBytes(n) > c.task.TableBytes && c.table.Len() > 0 {
		c.task.check(c.write())
		c.table.Clear()
	}
	c.keyer.Normalise(&c.vector, &c.keys[0], unsafe.Sizeof(c.keys[0]), n)
	if c.fold.Count != nil {
		c.fold.Count(c.table, &c.vector)
		return
	}
	c.table.Locate(&c.vector, c.at[:], c.fresh[:])
	row := c.task.collected(c.node)
	for i := range n {
		c.fold.Add(c.table.Acc(c.at[i]), c.values[i], c.fresh[i])
	}
	c.task.row = row
}

// write sends the table's accumulators to their partitions.
func (c *combiner[K, V, A]) write() error {
	for place := range c.table.slots {
		s := &c.table.slots[place]
		if s.hi == 0 {
			continue
		}
		c.out.parts = append(c.out.parts, batch.Partition(batch.HashOf(s.lo, s.hi), c.partitions))
		c.out.add(batch.KV[K, A]{Key: c.keyer.Decode(c.table.Key(uint32(place))), Value: s.acc})
	}
	return c.out.finish()
}

func (c *combiner[K, V, A]) finish() error {
	c.flush()
	c.slots.Store(int64(len(c.table.slots)))
	return c.write()
}

// Aggregate merges the accumulators of one partition and feeds each key with its own to out: in increasing order of the
// keys, or in an order that is cheaper but as fixed.
func Aggregate[K, V, A any](t *Task, src Source, x Keyed[K, V, A], ordered bool, out func(K, *A) bool) error {
	keyer, table := x.Keyer(), newTable[A](minSlots, aggregating)
	var vector batch.Vector
	at, fresh := make([]uint32, vectorRows), make([]bool, vectorRows)
	err := vectors(t, src, x.Codec, func(rows []batch.KV[K, A], _ int) bool {
		t.pause()
		keyer.Normalise(&vector, &rows[0].Key, unsafe.Sizeof(rows[0]), len(rows))
		table.Locate(&vector, at, fresh)
		for i := range rows {
			x.Fold.Merge(table.Acc(at[i]), rows[i].Value, fresh[i])
		}
		return true
	})
	if err != nil {
		return err
	}
	for _, place := range table.order(ordered, t.pause) {
		t.advance()
		if !out(keyer.Decode(table.Key(place)), table.Acc(place)) {
			break
		}
	}
	return nil
}

func (t *Table[A]) order(ordered bool, pause func()) []uint32 {
	if ordered {
		return t.Sorted(pause)
	}
	return t.SortedByHash(pause)
}
