package exec

import (
	"io"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

// groups holds records in memory, as batches, and the rows of each key among them. What that takes is the owner's to take.
type groups[K, V any] struct {
	task     *Task
	codec    *batch.Codec[batch.KV[K, V]]
	keyer    *batch.Keyer[K]
	table    *Table[uint32] // the number of each key's group, in the order of their first rows
	records  []arrow.Record
	decoders []*batch.Decoder[batch.KV[K, V]] // of records
	first    int                              // the first row of records[0] that is held
	group    []uint32                         // of each row
	starts   []int                            // after sort: of each group in rows, and their end
	rows     []rowID                          // after sort: by group, in the order in which they came

	read   [vectorRows]batch.KV[K, V]
	vector batch.Vector
	at     [vectorRows]uint32
	fresh  [vectorRows]bool
}

// rowID is a row of a record of groups.records.
type rowID struct{ record, row uint32 }

// groupRowBytes is what a row takes beside its batch: its group, in a list that may be half empty, its place by group, and
// where its group begins.
const groupRowBytes = 8 + 8 + 8

// groupBatchBytes is what a batch takes beside its buffers.
const groupBatchBytes = 512

func newGroups[K, V any](t *Task, codec *batch.Codec[batch.KV[K, V]], keyer *batch.Keyer[K], table *Table[uint32]) *groups[K, V] {
	return &groups[K, V]{task: t, codec: codec, keyer: keyer, table: table}
}

// collect takes all records of src, for which the table has room.
func (g *groups[K, V]) collect(src Source) error {
	for {
		rec, err := g.task.next(src)
		if err == io.EOF { //nolint:errorlint // see vectors
			return nil
		}
		if err != nil {
			return err
		}
		if err := g.add(rec, func(int) {}); err != nil {
			return err
		}
	}
}

// add takes a batch over. It calls room before it numbers some rows from a given one on; their keys are in g.vector.
func (g *groups[K, V]) add(rec arrow.Record, room func(from int)) error {
	d := g.codec.NewDecoder()
	g.records, g.decoders = append(g.records, rec), append(g.decoders, d)
	rec.Retain()
	_, err := recordVectors(g.task, d, rec, g.read[:], func(rows []batch.KV[K, V], from int) bool {
		g.task.pause()
		g.keyer.Normalise(&g.vector, &rows[0].Key, unsafe.Sizeof(rows[0]), len(rows))
		room(from)
		g.number(len(rows))
		return true
	})
	return err
}

// number notes the groups of n rows.
func (g *groups[K, V]) number(n int) {
	known := uint32(g.table.Len())
	g.table.Locate(&g.vector, g.at[:], g.fresh[:])
	for i := range n {
		acc := g.table.Acc(g.at[i])
		if g.fresh[i] {
			*acc = known
			known++
		}
		g.group = append(g.group, *acc)
	}
}

// sort brings the rows of each group together: a counting sort, which keeps their order.
func (g *groups[K, V]) sort() {
	// starts[n+1] is where the next row of group n goes, and so in the end where the group ends.
	g.starts = make([]int, g.table.Len()+2)
	for _, n := range g.group {
		g.starts[n+2]++
	}
	for n := 2; n < len(g.starts); n++ {
		g.starts[n] += g.starts[n-1]
	}
	g.rows = make([]rowID, len(g.group))
	rec, row := 0, g.first
	for _, n := range g.group {
		for row == int(g.records[rec].NumRows()) {
			rec, row = rec+1, 0
		}
		g.rows[g.starts[n+1]] = rowID{uint32(rec), uint32(row)}
		g.starts[n+1]++
		row++
	}
}

// rowsOf returns the rows of a group, after sort.
func (g *groups[K, V]) rowsOf(group uint32) []rowID { return g.rows[g.starts[group]:g.starts[group+1]] }

// value decodes the value of a row into that of kv.
func (g *groups[K, V]) value(id rowID, kv *batch.KV[K, V]) {
	const value = 1 // the field of batch.KV
	g.decoders[id.record].ReadField(value, kv, int(id.row))
}

// clear lets go of all rows. If the last batch is at work, it is kept from a given row on.
func (g *groups[K, V]) clear(atWork bool, from int) {
	n := len(g.records)
	if atWork {
		n--
	}
	for _, rec := range g.records[:n] {
		rec.Release()
	}
	g.records, g.decoders = append(g.records[:0], g.records[n:]...), append(g.decoders[:0], g.decoders[n:]...)
	g.first, g.group, g.rows, g.starts = from, g.group[:0], nil, nil
}

// release lets go of everything.
func (g *groups[K, V]) release() {
	g.clear(false, 0)
	g.table.release()
}

// groupsCursor is the cursor over records in memory, by the order of their keys; the groups and their table have been
// sorted. It decodes some values ahead: they lie anywhere, and the cache misses of a vector overlap.
type groupsCursor[K, V any] struct {
	groups *groups[K, V]
	byHash bool
	place  uint32  // behind the last group that was looked at
	rest   []rowID // of that, which have not been decoded
	ids    []rowID // of recs
	places []uint32
	recs   []batch.KV[K, V]
	at     int    // within these
	buf    []byte // a hash and a key
}

func newGroupsCursor[K, V any](g *groups[K, V], byHash bool) *groupsCursor[K, V] {
	n := cursorRows[batch.KV[K, V]]()
	return &groupsCursor[K, V]{groups: g, byHash: byHash, ids: make([]rowID, 0, n), places: make([]uint32, 0, n), recs: make([]batch.KV[K, V], 0, n)}
}

func (c *groupsCursor[K, V]) next() (bool, error) { return c.step(), nil }

// step is next, which cannot fail here.
func (c *groupsCursor[K, V]) step() bool {
	if c.at++; c.at >= len(c.recs) {
		c.fill()
	}
	return c.at < len(c.recs)
}

// fill decodes the next records.
func (c *groupsCursor[K, V]) fill() {
	g := c.groups
	c.at, c.ids, c.places, c.recs = 0, c.ids[:0], c.places[:0], c.recs[:0]
	for len(c.ids) < cap(c.ids) {
		if len(c.rest) == 0 {
			if int(c.place) == g.table.Len() {
				break
			}
			c.rest = g.rowsOf(*g.table.Acc(c.place))
			c.place++
		}
		some := c.rest[:min(len(c.rest), cap(c.ids)-len(c.ids))]
		c.rest = c.rest[len(some):]
		c.ids = append(c.ids, some...)
		for range some {
			c.places = append(c.places, c.place-1)
		}
	}
	c.recs = c.recs[:len(c.ids)]
	for i, id := range c.ids {
		g.value(id, &c.recs[i])
	}
	for i, place := range c.places {
		if i > 0 && c.places[i-1] == place {
			c.recs[i].Key = c.recs[i-1].Key
		} else {
			c.recs[i].Key = g.keyer.Decode(g.table.Key(place))
		}
	}
}

func (c *groupsCursor[K, V]) key() []byte {
	table := c.groups.table
	return table.slots[c.places[c.at]].orderKey(&table.long, c.byHash, &c.buf)
}

func (c *groupsCursor[K, V]) record() *batch.KV[K, V] { return &c.recs[c.at] }

// close leaves the records to their groups.
func (c *groupsCursor[K, V]) close() {}
