package exec

import (
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

// groupStore keeps the records of one key to read them several times: a few as they are, more of them as batches, and what
// the share refuses as a spilled run.
type groupStore[T any] struct {
	task    *Task
	codec   *batch.Codec[T]
	small   bool           // its owner ends it before it holds much: it never spills
	out     *encoder[T]    // of its rows, none have become a batch while batches and writer are nil
	batches []arrow.Record // in memory
	bytes   int64          // of batches
	writer  SpillWriter    // nil while memory suffices
	run     Run            // what writer wrote, after end
	decoder *batch.Decoder[T]
	vector  []T
}

func newGroupStore[T any](t *Task, node int, codec *batch.Codec[T]) *groupStore[T] {
	g := &groupStore[T]{task: t, codec: codec, decoder: codec.NewDecoder()}
	g.out = newEncoder(t, node, portFunc(func(rec arrow.Record, _ []uint32) error { return g.keep(rec) }), codec)
	g.out.inner, g.out.limit = true, spillBytes
	return g
}

// add adds a record; it leaves the rows by what goes wrong.
func (g *groupStore[T]) add(rec T) { g.out.add(rec) }

// keep keeps a batch of records.
func (g *groupStore[T]) keep(rec arrow.Record) error {
	if g.writer != nil {
		return g.writer.Write(rec)
	}
	room, err := g.room()
	if err != nil {
		return err
	}
	if room {
		rec.Retain()
		g.batches = append(g.batches, rec)
		g.bytes += batch.SizeOf(rec)
		return nil
	}
	w, err := g.task.Spill.Create(g.codec.Schema())
	if err != nil {
		return err
	}
	g.writer = w
	for _, held := range g.batches {
		if err := w.Write(held); err != nil {
			return err
		}
	}
	g.let()
	return w.Write(rec)
}

// room tells whether one more batch stays in memory. The task's memory has counted it.
func (g *groupStore[T]) room() (bool, error) {
	if g.small {
		return true, nil
	}
	return g.task.grant(0, g.bytes)
}

// end follows the last record.
func (g *groupStore[T]) end() (err error) {
	if g.few() {
		return nil
	}
	if err := g.out.finish(); err != nil {
		return err
	}
	if g.writer != nil {
		g.run, err = g.writer.Close()
	}
	return err
}

// spilled tells, after end, whether reading takes the disk.
func (g *groupStore[T]) spilled() bool { return g.run != nil }

// few tells whether all records are rows of out.
func (g *groupStore[T]) few() bool {
	return g.out.builder.Len() == 0 && len(g.batches) == 0 && g.writer == nil
}

// empty tells whether no record was added.
func (g *groupStore[T]) empty() bool { return g.few() && len(g.out.rows) == 0 }

// each calls f with each record, until it returns false. What it gets is valid during the call.
func (g *groupStore[T]) each(f func(*T) bool) error {
	for i := range g.out.rows { // none but where they are all
		if !f(&g.out.rows[i]) {
			return nil
		}
	}
	for _, rec := range g.batches {
		if wanted, err := g.decode(rec, f); err != nil || !wanted {
			return err
		}
	}
	if g.run == nil {
		return nil
	}
	return g.read(f)
}

// read is each for what was spilled.
func (g *groupStore[T]) read(f func(*T) bool) (err error) {
	g.task.Share.Must(g.run.ReadBytes())
	defer g.task.Share.Give(g.run.ReadBytes())
	src, err := openRun(g.run)
	if err != nil {
		return err
	}
	defer src.Close()
	for {
		rec, err := src.Next()
		if err == io.EOF { //nolint:errorlint // see runSource
			return nil
		}
		if err != nil {
			return err
		}
		wanted, err := g.decode(rec, f)
		rec.Release()
		if err != nil || !wanted {
			return err
		}
	}
}

// decode calls f with each row of a batch.
func (g *groupStore[T]) decode(rec arrow.Record, f func(*T) bool) (wanted bool, err error) {
	if err := g.decoder.Reset(rec); err != nil {
		return false, err
	}
	if g.vector == nil {
		g.vector = make([]T, vectorRows)
	}
	for from := 0; from < g.decoder.Len(); from += len(g.vector) {
		rows := g.vector[:min(len(g.vector), g.decoder.Len()-from)]
		g.decoder.Read(rows, from)
		for i := range rows {
			if !f(&rows[i]) {
				return false, nil
			}
		}
	}
	return true, nil
}

// let lets go of the batches in memory.
func (g *groupStore[T]) let() {
	for _, rec := range g.batches {
		rec.Release()
	}
	g.batches = g.batches[:0]
	g.bytes = 0
}

// clear drops all records.
func (g *groupStore[T]) clear() {
	g.let()
	g.out.rows = g.out.rows[:0]
	g.out.builder.Release()
	if g.run != nil {
		g.run.Drop()
	}
	g.writer, g.run = nil, nil
}
