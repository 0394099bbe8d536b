package exec

import (
	"sync/atomic"
	"unsafe"

	"fletch/engine/batch"
)

// Combine returns the stream that folds records by key into a table and writes its accumulators, partitioned by the key's
// hash, when the task's share does not grant a larger one and at the end. Where most keys are new the table is of no use,
// and records pass it by. Split takes a record apart.
func Combine[T, K, V, A any](t *Task, port Port, partitions int, x Keyed[K, V, A], split func(T) (K, V)) Stream {
	c := newCombiner(t, port, partitions, x)
	return Stream{Consume: func(rec T) bool {
		n := c.n
		c.keys[n], c.values[n] = split(rec)
		c.n = n + 1
		if bytes := c.keySize.Of(&c.keys[n]) + c.valueSize.Of(&c.values[n]); c.n == vectorRows || bytes > largeBytes && c.large(bytes) {
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
		c.n = n + 1
		if bytes := c.keySize.Of(&c.keys[n]); c.n == vectorRows || bytes > largeBytes && c.large(bytes) {
			c.flush()
		}
		return true
	}, Finish: c.finish}
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
	gain       gain
	kept       kept[V, A]

	keySize   batch.Sizer[K]
	valueSize batch.Sizer[V]

	n      int   // records in keys and values
	bytes  int64 // that the large ones of these hold
	keys   [vectorRows]K
	values [vectorRows]V
	vector batch.Vector
	at     [vectorRows]uint32
	fresh  [vectorRows]bool
	acc    A // of a record that passes
}

func newCombiner[K, V, A any](t *Task, port Port, partitions int, x Keyed[K, V, A]) *combiner[K, V, A] {
	c := &combiner[K, V, A]{
		task: t, node: x.Node, fold: x.Fold, keyer: x.Keyer(), slots: x.Slots, out: newEncoder(t, x.Node, port, x.Codec), partitions: partitions,
		gain: gain{judgeAt: trialKeys}, kept: newKept[V, A](t), keySize: batch.NewSizer[K](), valueSize: batch.NewSizer[V](),
		table: newTable[A](t.Share, max(minSlots, int(x.Slots.Load())), combining),
	}
	t.tables = append(t.tables, c)
	t.atEnd = append(t.atEnd, func() {
		c.table.release()
		t.tables = nil
	})
	return c
}

// large counts a large record and tells whether the vector is to end with it.
func (c *combiner[K, V, A]) large(bytes int64) bool {
	c.bytes += bytes
	return c.bytes >= vectorBytes
}

// flush folds the collected records into the table, or lets them pass.
func (c *combiner[K, V, A]) flush() {
	c.task.pause()
	n := c.n
	if n == 0 {
		return
	}
	c.n, c.bytes = 0, 0
	c.keyer.Normalise(&c.vector, &c.keys[0], unsafe.Sizeof(c.keys[0]), n)
	defer func() {
		dropLarge(c.keys[:n])
		dropLarge(c.values[:n])
	}()
	for !c.gain.pass(n) {
		if c.table.slots == nil { // it was let go while records passed
			c.table.Clear()
			c.kept.begin()
		}
		if c.table.Room(&c.vector) {
			c.add(n)
			return
		}
		if !c.task.emptyLargest(c) {
			row := c.task.collected(c.node)
			c.task.check(c.table.awaitRoom(c.task, &c.vector))
			c.task.row = row
		}
	}
	c.pass(n)
}

// add folds n records into the table.
func (c *combiner[K, V, A]) add(n int) {
	if c.fold.Count != nil {
		c.fold.Count(c.table, &c.vector)
	} else {
		c.table.Locate(&c.vector, c.at[:], c.fresh[:])
		row := c.task.collected(c.node)
		for i := range n {
			c.fold.Add(c.table.Acc(c.at[i]), c.values[i], c.fresh[i])
		}
		c.task.row = row
		c.kept.count(c.table, c.values[:n], c.at[:n], c.fresh[:n])
	}
	if c.gain.small(n, c.table.Len()) {
		c.task.check(c.empty(false))
	}
}

// pass writes n records past the table, each as the accumulator of it alone.
func (c *combiner[K, V, A]) pass(n int) {
	row := c.task.collected(c.node)
	for i := range n {
		c.acc = *new(A)
		c.fold.Add(&c.acc, c.values[i], true)
		c.out.parts = append(c.out.parts, batch.Partition(c.vector.Words[i].Hash, c.partitions))
		c.out.add(batch.KV[K, A]{Key: c.keys[i], Value: c.acc})
	}
	c.task.row = row
}

// empty writes the table's accumulators. The next ones go into a table as large if it has paid and nobody else needs the
// memory, else into a small one.
func (c *combiner[K, V, A]) empty(forOthers bool) error {
	keys := c.table.Len()
	if err := c.write(); err != nil {
		return err
	}
	if c.gain.emptied(keys) && !forOthers && keys > 0 {
		c.table.Clear()
	} else {
		c.table.release()
	}
	return nil
}

// write sends the table's accumulators to their partitions.
func (c *combiner[K, V, A]) write() error {
	for place := range c.table.slots {
		s := &c.table.slots[place]
		if s.hi == 0 {
			continue
		}
		c.out.parts = append(c.out.parts, batch.Partition(s.hash(), c.partitions))
		c.out.add(batch.KV[K, A]{Key: c.keyer.Decode(c.table.Key(uint32(place))), Value: s.acc})
	}
	return c.out.finish()
}

// held returns the memory that emptying the table may give back.
func (c *combiner[K, V, A]) held() int64 {
	if c.table.Len() == 0 && len(c.table.slots) <= minSlots {
		return 0
	}
	return c.table.taken
}

func (c *combiner[K, V, A]) finish() error {
	c.flush()
	c.slots.Store(int64(len(c.table.slots)))
	err := c.write()
	c.table.release()
	return err
}

// emptier is a combiner of any type.
type emptier interface {
	held() int64
	empty(forOthers bool) error
}

// emptyLargest empties the table that has most memory among those of the task's combiners, for one of them or
// for nobody among them. It returns false if all of them have given back what they had.
func (t *Task) emptyLargest(by emptier) bool {
	var largest emptier
	most := int64(0)
	for _, c := range t.tables {
		if n := c.held(); n > most {
			largest, most = c, n
		}
	}
	if largest == nil {
		return false
	}
	op, row := t.op, t.row
	t.check(largest.empty(largest != by))
	t.op, t.row = op, row
	return true
}

// gain tells whether a combiner's table is worth its cost: it is not where more than three of four records bring a new key.
type gain struct {
	seen    int64 // records folded since the table was empty
	judgeAt int   // the number of keys at which the table is looked at next
	passing int64 // records that go past the table before another one is tried
}

const (
	// trialKeys is how many keys a table has when it is first judged.
	trialKeys = 64 << 10
	// passFactor is how many times the records of a table that did not pay pass before the next one is tried.
	passFactor = 8
)

// pass tells whether n records go past the table.
func (g *gain) pass(n int) bool {
	if g.passing <= 0 {
		return false
	}
	g.passing -= int64(n)
	return true
}

// small counts n records and tells whether a table that has so many keys with them is to be given up.
func (g *gain) small(n, keys int) bool {
	g.seen += int64(n)
	if keys < g.judgeAt {
		return false
	}
	g.judgeAt = 2 * keys
	return !g.paid(keys)
}

func (g *gain) paid(keys int) bool { return int64(keys) <= g.seen/4*3 }

// emptied notes that a table with so many keys has been emptied, and tells whether it has paid.
func (g *gain) emptied(keys int) bool {
	paid := g.paid(keys)
	if !paid {
		g.passing = passFactor * g.seen
	}
	g.seen, g.judgeAt = 0, trialKeys
	return paid
}

// kept counts what accumulators keep beside themselves, if their type has strings or slices: what a new one holds, what the
// values hold that are added to it later, and the batches that values may be views of. Not seen is what Add allocates
// later on its own.
type kept[V, A any] struct {
	task    *Task
	acc     func(*A) int64 // nil if there is nothing to count
	value   func(*V) int64 // nil if values hold nothing beside themselves
	decoded int64          // the task's, when it was last counted
}

func newKept[V, A any](t *Task) kept[V, A] {
	return kept[V, A]{task: t, acc: batch.Pointed[A](), value: batch.Pointed[V](), decoded: t.decoded}
}

// begin says that the table is new.
func (k *kept[V, A]) begin() { k.decoded = k.task.decoded }

// count tells a table of what values have brought to its accumulators.
func (k *kept[V, A]) count(table *Table[A], values []V, at []uint32, fresh []bool) {
	if k.acc == nil {
		return
	}
	bytes := k.task.decoded - k.decoded
	k.decoded = k.task.decoded
	for i := range values {
		switch {
		case fresh[i]:
			bytes += k.acc(table.Acc(at[i]))
		case k.value != nil:
			bytes += k.value(&values[i])
		default:
			bytes += int64(unsafe.Sizeof(values[i]))
		}
	}
	table.hold(bytes)
}
