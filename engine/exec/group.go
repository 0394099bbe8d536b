package exec

import (
	"iter"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

// Scatter returns the stream that sends records to the partitions of their keys' hashes, uncombined. Split takes a record
// apart.
func Scatter[T, K, V any](t *Task, node int, port Port, partitions int, codec *batch.Codec[batch.KV[K, V]], keyer *batch.Keyer[K], split func(T) (K, V)) Stream {
	s := &scatter[K, V]{task: t, keyer: keyer, out: newEncoder(t, node, port, codec), partitions: partitions}
	return Stream{Consume: func(rec T) bool {
		kv := &s.rows[s.n]
		kv.Key, kv.Value = split(rec)
		if s.n++; s.n == vectorRows {
			s.flush()
		}
		return true
	}, Finish: func() error {
		s.flush()
		return s.out.finish()
	}}
}

type scatter[K, V any] struct {
	task       *Task
	keyer      *batch.Keyer[K]
	out        *encoder[batch.KV[K, V]]
	partitions int

	n      int // records in rows
	rows   [vectorRows]batch.KV[K, V]
	vector batch.Vector
}

func (s *scatter[K, V]) flush() {
	s.task.pause()
	rows := s.rows[:s.n]
	s.keyer.Normalise(&s.vector, &s.rows[0].Key, unsafe.Sizeof(s.rows[0]), len(rows))
	for i, w := range s.vector.Words {
		s.out.parts = append(s.out.parts, batch.Partition(w.Hash, s.partitions))
		s.out.add(rows[i])
	}
	s.n = 0
}

// Group collects the records of one partition and calls out with each key and its values, in the order in which these
// came: keys in increasing order, or in an order that is cheaper but as fixed. The values can be ranged over once.
func Group[K, V any](t *Task, src Source, codec *batch.Codec[batch.KV[K, V]], keyer *batch.Keyer[K], ordered bool, out func(K, iter.Seq[V]) bool) error {
	g := &groups[K, V]{task: t, table: newTable[uint32](minSlots, aggregating), codec: codec}
	defer g.release()
	if err := g.collect(src, keyer); err != nil {
		return err
	}
	g.sort()
	for _, place := range g.table.order(ordered, t.pause) {
		t.advance()
		if !out(keyer.Decode(g.table.Key(place)), once(g.values(*g.table.Acc(place)))) {
			break
		}
	}
	return nil
}

// groups holds the records of a partition and the rows of each key among them.
type groups[K, V any] struct {
	task     *Task
	codec    *batch.Codec[batch.KV[K, V]]
	table    *Table[uint32] // the number of each key's group
	records  []arrow.Record
	decoders []*batch.Decoder[batch.KV[K, V]] // of records
	group    []uint32                         // of each row
	starts   []int                            // of each group in rows, and their end
	rows     []rowID                          // by group, in the order in which they came
}

// rowID is a row of a record of groups.records.
type rowID struct{ record, row uint32 }

// keep is a Source that retains what it hands on.
type keep struct {
	Source
	kept func(arrow.Record)
}

func (k keep) Next() (arrow.Record, error) {
	rec, err := k.Source.Next()
	if err == nil {
		rec.Retain()
		k.kept(rec)
	}
	return rec, err
}

// collect reads all records and numbers the groups in the order of their first rows.
func (g *groups[K, V]) collect(src Source, keyer *batch.Keyer[K]) error {
	var vector batch.Vector
	at, fresh := make([]uint32, vectorRows), make([]bool, vectorRows)
	kept := keep{src, func(rec arrow.Record) { g.records = append(g.records, rec) }}
	return vectors(g.task, kept, g.codec, func(rows []batch.KV[K, V], _ int) bool {
		g.task.pause()
		keyer.Normalise(&vector, &rows[0].Key, unsafe.Sizeof(rows[0]), len(rows))
		known := g.table.Len()
		g.table.Locate(&vector, at, fresh)
		for i := range rows {
			acc := g.table.Acc(at[i])
			if fresh[i] {
				*acc = uint32(known)
				known++
			}
			g.group = append(g.group, *acc)
		}
		return true
	})
}

// sort brings the rows of each group together: a counting sort, which keeps their order.
func (g *groups[K, V]) sort() {
	g.starts = make([]int, g.table.Len()+1)
	for _, n := range g.group {
		g.starts[n+1]++
	}
	for i := 1; i < len(g.starts); i++ {
		g.starts[i] += g.starts[i-1]
	}
	next := append([]int(nil), g.starts...)
	g.rows = make([]rowID, len(g.group))
	i := 0
	for r, rec := range g.records {
		for row := range uint32(rec.NumRows()) {
			n := g.group[i]
			g.rows[next[n]] = rowID{uint32(r), row}
			next[n]++
			i++
		}
	}
	g.group = nil
	for _, rec := range g.records {
		d := g.codec.NewDecoder()
		g.task.check(d.Reset(rec))
		g.decoders = append(g.decoders, d)
	}
}

// values yields the values of one group.
func (g *groups[K, V]) values(group uint32) iter.Seq[V] {
	return func(yield func(V) bool) {
		const value = 1 // the field of batch.KV
		kv := new(batch.KV[K, V])
		for _, id := range g.rows[g.starts[group]:g.starts[group+1]] {
			g.task.advance()
			g.decoders[id.record].ReadField(value, kv, int(id.row))
			if !yield(kv.Value) {
				return
			}
		}
	}
}

func (g *groups[K, V]) release() {
	for _, rec := range g.records {
		rec.Release()
	}
}
