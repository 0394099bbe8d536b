package exec

import (
	"errors"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

// LeftBeside returns the stream that joins records of the left side, as they come, with all of the right one, which is an
// exchange that every task reads as a side. Right records that match nothing can't be told, as none of the tasks knows.
func (j *Join[K, V, W]) LeftBeside(t *Task, right int) Stream {
	b := newBeside(t, j.Node, right, j.Keyer(), j.Right, j.Left, roles[K, W, V]{pair: j.Pair, probeMatched: j.Matched, probeAlone: j.LeftAlone})
	b.run = func(right, left Source) error { return j.Run(t, left, right) }
	return Stream{Consume: b.consume, Finish: b.finish}
}

// RightBeside returns the stream that joins records of the right side with all of the left one. Nothing can be told of left
// records by themselves.
func (j *Join[K, V, W]) RightBeside(t *Task, left int) Stream {
	b := newBeside(t, j.Node, left, j.Keyer(), j.Left, j.Right, j.swapped())
	b.run = func(left, right Source) error { return j.Run(t, left, right) }
	return Stream{Consume: b.consume, Finish: b.finish}
}

// beside joins records that stream past a table of all records of a side. The table is made once an attempt. If the share
// does not grant it, the records are put aside, and joined in the end as two sides of a partition are.
type beside[K, B, P any] struct {
	task  *Task
	node  int
	side  int // an exchange
	keyer *batch.Keyer[K]
	build *batch.Codec[batch.KV[K, B]]
	probe *batch.Codec[batch.KV[K, P]]
	roles roles[K, B, P]
	run   func(build, probe Source) error

	size  batch.Sizer[batch.KV[K, P]]
	n     int   // records in rows
	bytes int64 // that these hold
	rows  [vectorRows]batch.KV[K, P]
	begun bool
	more  bool                     // more is wanted
	table *hashed[K, B, P]         // nil where it does not fit
	aside *encoder[batch.KV[K, P]] // then: what has come
	spill SpillWriter              // that aside writes to
}

func newBeside[K, B, P any](
	t *Task, node, side int, keyer *batch.Keyer[K], build *batch.Codec[batch.KV[K, B]], probe *batch.Codec[batch.KV[K, P]], r roles[K, B, P],
) *beside[K, B, P] {
	return &beside[K, B, P]{
		task: t, node: node, side: side, keyer: keyer, build: build, probe: probe, roles: r, more: true, size: batch.NewSizer[batch.KV[K, P]](),
	}
}

func (b *beside[K, B, P]) consume(rec batch.KV[K, P]) bool {
	b.rows[b.n] = rec
	b.bytes += b.size.Of(&b.rows[b.n])
	if b.n++; b.n == vectorRows || b.bytes >= vectorBytes {
		b.flush()
	}
	return b.more
}

// flush joins the records that were collected, or puts them aside.
func (b *beside[K, B, P]) flush() {
	rows := b.rows[:b.n]
	b.n, b.bytes = 0, 0
	if len(rows) == 0 || !b.more {
		return
	}
	row := b.task.collected(b.node)
	b.begin()
	if b.table != nil {
		b.more = b.table.probe(rows)
	} else {
		for i := range rows {
			b.aside.add(rows[i])
		}
	}
	dropLarge(rows)
	b.task.row = row
}

// begin makes the table before the first record, or finds that an earlier run has made it.
func (b *beside[K, B, P]) begin() {
	if b.begun {
		return
	}
	b.begun = true
	known, ok := b.task.kept[b.node]
	if ok {
		b.table = known.(*hashed[K, B, P])
	} else {
		table, err := b.read()
		b.task.check(b.task.named(err))
		b.task.hold(b.node, table)
		b.table = table
	}
	b.task.op = b.node
	if b.table != nil {
		b.table.roles = b.roles
		return
	}
	w, err := b.task.Spill.Create(b.probe.Schema())
	b.task.check(b.task.named(err))
	b.spill = w
	b.aside = newEncoder(b.task, b.node, portFunc(func(rec arrow.Record, _ []uint32) error { return w.Write(rec) }), b.probe)
	b.aside.inner, b.aside.limit = true, spillBytes
}

// read makes the table of all records of the side; nil where there is no room for it. What it takes stays with the share
// until the attempt ends.
func (b *beside[K, B, P]) read() (table *hashed[K, B, P], err error) {
	src, err := b.task.Side(b.side)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	h := &held[batch.KV[K, B]]{task: b.task, src: src}
	for !h.ended {
		if granted, err := h.fill(); err != nil || !granted || !b.task.roomFor(h.taken) {
			h.release()
			return nil, err
		}
	}
	if !h.reserve() || !b.task.roomFor(h.taken) {
		h.release()
		return nil, nil
	}
	b.task.keptBytes += h.taken
	defer b.task.noInput()()
	return newHashed(b.task, b.keyer, h, b.build, b.roles)
}

// finish joins what is left, and what was put aside.
func (b *beside[K, B, P]) finish() error {
	b.flush()
	if b.aside == nil {
		return nil
	}
	b.task.collected(b.node)
	if err := b.aside.finish(); err != nil {
		return err
	}
	run, err := b.spill.Close()
	if err != nil {
		return err
	}
	defer run.Drop()
	return b.joinAside(run)
}

func (b *beside[K, B, P]) joinAside(run Run) error {
	probe, err := openRun(run)
	if err != nil {
		return err
	}
	defer probe.Close()
	build, err := b.task.Side(b.side)
	if err != nil {
		return err
	}
	defer build.Close()
	defer b.task.noInput()()
	return b.run(build, probe)
}

// noInput returns the function that takes back the count of the rows that are read from now on: those of a side, or that have been
// counted before they were put aside.
func (t *Task) noInput() (restore func()) {
	rows := t.metrics.RowsIn
	return func() {
		t.Progress.Rows.Add(rows - t.metrics.RowsIn)
		t.metrics.RowsIn = rows
	}
}
