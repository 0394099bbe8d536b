package exec

import (
	"cmp"
	"slices"
	"unsafe"

	"fletch/engine/batch"
)

// Aggregate merges the accumulators of one partition and feeds each key with its own to out: in increasing order of the
// keys, or in that of their hashes, which is cheaper and as fixed. What the task's share does not grant is spilled.
func Aggregate[K, V, A any](t *Task, src Source, x Keyed[K, V, A], ordered bool, out func(K, *A) bool) error {
	g := newAggregator(t, x, ordered)
	defer g.release()
	if err := g.collect(src); err != nil {
		return err
	}
	if err := g.feed(out); err != nil {
		return err
	}
	g.drop()
	return nil
}

// aggregator holds one accumulator for each key, in a table and in runs that were spilled. Of a key that is in several of
// them, the accumulators are those of values one after another: the runs' in their order, then the table's.
type aggregator[K, V, A any] struct {
	task    *Task
	keyed   Keyed[K, V, A]
	keyer   *batch.Keyer[K]
	table   *Table[A]
	ordered bool
	// parts are the runs of each range of hashes, one after the other in the order of what comes out. If that is the order
	// of the keys, there is but one range.
	parts []runs[batch.KV[K, A]]
	// pointed tells what an accumulator holds beside itself, among it views of the batches that were read; it is nil where that
	// is nothing.
	pointed  func(*A) int64
	reserved int64 // taken for reading runs
}

func newAggregator[K, V, A any](t *Task, x Keyed[K, V, A], ordered bool) *aggregator[K, V, A] {
	g := &aggregator[K, V, A]{
		task: t, keyed: x, keyer: x.Keyer(), table: newTable[A](t.Share, minSlots, aggregating), ordered: ordered,
		parts: make([]runs[batch.KV[K, A]], hashRanges), pointed: batch.Pointed[A](),
	}
	if ordered {
		g.parts = g.parts[:1]
	}
	for i := range g.parts {
		g.parts[i] = runs[batch.KV[K, A]]{task: t, node: x.Node, codec: x.Codec, key: keyOrder[K, A](g.keyer, ordered), fold: g.fold}
	}
	return g
}

// keyOrder returns the order of records by their keys, or by the hashes of these and then by them.
func keyOrder[K, V any](keyer *batch.Keyer[K], ordered bool) OrderKey[batch.KV[K, V]] {
	if ordered {
		return func(dst []byte, rec *batch.KV[K, V]) []byte { return keyer.Append(dst, &rec.Key) }
	}
	return hashedOrder[K, V](keyer)
}

// fold merges an accumulator into that of the same key before it.
func (g *aggregator[K, V, A]) fold(into, rec *batch.KV[K, A]) {
	g.task.Enter(g.keyed.Node)
	g.keyed.Fold.Merge(&into.Value, rec.Value, false)
}

// collect takes all accumulators of src.
func (g *aggregator[K, V, A]) collect(src Source) error {
	var vector batch.Vector
	at, fresh := make([]uint32, vectorRows), make([]bool, vectorRows)
	decoded := g.task.decoded
	return vectors(g.task, src, g.keyed.Codec, func(rows []batch.KV[K, A], _ int) bool {
		g.task.pause()
		if g.pointed != nil {
			g.table.hold(g.task.decoded - decoded + g.pointedBy(rows))
			decoded = g.task.decoded
		}
		g.keyer.Normalise(&vector, &rows[0].Key, unsafe.Sizeof(rows[0]), len(rows))
		for !g.table.Room(&vector) {
			g.task.check(g.makeRoom(&vector))
		}
		g.table.Locate(&vector, at, fresh)
		for i := range rows {
			g.keyed.Fold.Merge(g.table.Acc(at[i]), rows[i].Value, fresh[i])
		}
		return true
	})
}

// pointedBy returns what accumulators hold beside themselves.
func (g *aggregator[K, V, A]) pointedBy(rows []batch.KV[K, A]) (bytes int64) {
	for i := range rows {
		bytes += g.pointed(&rows[i].Value)
	}
	return bytes
}

// makeRoom spills what the share has no room for.
func (g *aggregator[K, V, A]) makeRoom(keys *batch.Vector) error {
	switch {
	case g.table.Len() == 0, g.task.small(g.table.taken + g.table.missing(keys)):
		return g.table.awaitRoom(g.task, keys)
	case g.ordered, g.pointed != nil, !g.task.Share.Take(0):
		// The batches that accumulators are views of, and what others have a right to, are not given back by less.
		return g.spill()
	default:
		return g.spillLargest()
	}
}

// spill writes the whole table as a run of each range, and empties it.
func (g *aggregator[K, V, A]) spill() error {
	g.table.Sort(g.ordered, g.task.pause)
	rest := g.table.slots[:g.table.Len()]
	for r := range g.parts {
		part := rest[:g.partLen(rest, r)]
		rest = rest[len(part):]
		if err := g.spillSlots(r, part); err != nil {
			return err
		}
	}
	g.table.Clear()
	return nil
}

// partLen returns how many of the sorted slots, which begin at range r or behind it, are of that range.
func (g *aggregator[K, V, A]) partLen(slots []slot[A], r int) int {
	if g.ordered {
		return len(slots)
	}
	for n := range slots {
		if rangeOf(slots[n].hash()) != r {
			return n
		}
	}
	return len(slots)
}

// spillLargest spills the ranges of hashes that hold most: a quarter of the table, as finding them means going through all
// of it.
func (g *aggregator[K, V, A]) spillLargest() error {
	ranges, keys := g.largest()
	copies := g.table.slotBytes(keys)
	g.task.Share.Must(copies)
	defer g.task.Share.Give(copies)
	slots := g.table.cut(&ranges, keys)
	sorter := slotSort[A]{long: &g.table.long, byHash: true, pause: g.task.pause}
	sorter.sort(slots)
	for r, cut := range ranges {
		if !cut {
			continue
		}
		part := slots[:g.partLen(slots, r)]
		slots = slots[len(part):]
		if err := g.spillSlots(r, part); err != nil {
			return err
		}
		g.table.drop(r)
	}
	return nil
}

// largest returns the ranges that hold most, enough of them to be worth while, and how many keys they have.
func (g *aggregator[K, V, A]) largest() (ranges [hashRanges]bool, keys int) {
	lens := g.table.rangeLens()
	bytesOf := func(r int) int64 { return g.table.slotBytes(lens[r]) + g.table.long[r].bytes }
	order, all := make([]int, hashRanges), int64(0)
	for r := range order {
		order[r] = r
		all += bytesOf(r)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(bytesOf(b), bytesOf(a)) })
	chosen := int64(0)
	for _, r := range order {
		if chosen >= max(all/4, spillBytes) {
			break
		}
		ranges[r] = true
		keys += lens[r]
		chosen += bytesOf(r)
	}
	return ranges, keys
}

// spillSlots writes sorted slots as a run of a range.
func (g *aggregator[K, V, A]) spillSlots(r int, slots []slot[A]) error {
	if len(slots) == 0 {
		return nil
	}
	return g.parts[r].spill(func(add func(batch.KV[K, A])) {
		for i := range slots {
			add(batch.KV[K, A]{Key: g.keyer.Decode(slots[i].key(&g.table.long)), Value: slots[i].acc})
		}
	})
}

// feed calls out with each key and its accumulator, until out returns false.
func (g *aggregator[K, V, A]) feed(out func(K, *A) bool) error {
	if err := g.reserve(); err != nil {
		return err
	}
	g.table.Sort(g.ordered, g.task.pause)
	rest := g.table.slots[:g.table.Len()]
	for r := range g.parts {
		part := rest[:g.partLen(rest, r)]
		rest = rest[len(part):]
		if more, err := g.feedPart(r, part, out); err != nil || !more {
			return err
		}
	}
	return nil
}

// reserve takes the memory for reading the runs of any one range. Nothing has been fed by then: what operators behind this
// one come to hold must not be what is missing here.
func (g *aggregator[K, V, A]) reserve() error {
	read := g.reading()
	if read.runs == 0 {
		return nil
	}
	if g.task.Share.Take(read.bytes()) {
		g.reserved = read.bytes()
		return nil
	}
	if err := g.spill(); err != nil {
		return err
	}
	g.table.release()
	read = g.reading()
	if err := g.task.awaitReading(&read); err != nil {
		return err
	}
	defer func() { g.reserved = read.bytes() }() // rows may be left while runs are merged
	for g.reading().runs > read.runs {
		for r := range g.parts { // each may lower what can be read at a time
			if err := g.parts[r].mergeTo(&read); err != nil {
				return err
			}
		}
	}
	return nil
}

// reading returns what it takes to read all runs of any one range at a time.
func (g *aggregator[K, V, A]) reading() (r reading) {
	for i := range g.parts {
		part := g.parts[i].reading()
		r.cost, r.runs = max(r.cost, part.cost), max(r.runs, part.runs)
	}
	return r
}

// feedPart feeds the keys of one range, of which slots are in memory, in order.
func (g *aggregator[K, V, A]) feedPart(r int, slots []slot[A], out func(K, *A) bool) (more bool, err error) {
	if len(g.parts[r].all) == 0 {
		for len(slots) > 0 {
			some := slots[:min(len(slots), vectorRows)]
			slots = slots[len(some):]
			g.table.warmLong(some)
			for i := range some {
				g.task.advance()
				if !out(g.keyer.Decode(some[i].key(&g.table.long)), &some[i].acc) {
					return false, nil
				}
			}
		}
		return true, nil
	}
	open, err := g.parts[r].openSome(g.parts[r].all, 0)
	if err != nil {
		return false, err
	}
	open = append(open, &slotCursor[K, A]{slots: slots, long: &g.table.long, keyer: g.keyer, byHash: !g.ordered, at: -1})
	more = true
	err = mergeFolded(g.task, open, g.fold, func(rec *batch.KV[K, A], _ []byte) bool {
		g.task.advance()
		more = out(rec.Key, &rec.Value)
		return more
	})
	return more, err
}

// drop gives up what was spilled.
func (g *aggregator[K, V, A]) drop() {
	for r := range g.parts {
		g.parts[r].drop()
	}
}

func (g *aggregator[K, V, A]) release() {
	g.table.release()
	g.task.Share.Give(g.reserved)
	g.reserved = 0
}

// slotCursor is the cursor over sorted slots.
type slotCursor[K, A any] struct {
	slots  []slot[A]
	long   *arenas
	keyer  *batch.Keyer[K]
	byHash bool
	at     int
	buf    []byte // a hash and a key
	rec    batch.KV[K, A]
}

func (c *slotCursor[K, A]) next() (bool, error) {
	c.at++
	return c.at < len(c.slots), nil
}

func (c *slotCursor[K, A]) key() []byte { return c.slots[c.at].orderKey(c.long, c.byHash, &c.buf) }

func (c *slotCursor[K, A]) record() *batch.KV[K, A] {
	s := &c.slots[c.at]
	c.rec = batch.KV[K, A]{Key: c.keyer.Decode(s.key(c.long)), Value: s.acc}
	return &c.rec
}

// close leaves the slots to their table.
func (c *slotCursor[K, A]) close() {}
