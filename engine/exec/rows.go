package exec

import (
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

const (
	// vectorRows is how many rows are moved between columns and Go values at a time: they stay in the nearest cache.
	vectorRows = 256
	// vectorBytes is what the rows may hold that are collected to be moved: it ends a vector of large ones early.
	vectorBytes = 64 << 10
	// largeBytes is what a record holds that counts for vectorBytes where adding up all of them would be felt: a vector of
	// smaller ones has no more than that either.
	largeBytes = vectorBytes / vectorRows
	// batchBytes is the size at which collected rows are handed on as a batch.
	batchBytes = 256 << 10
)

// Pull decodes the batches of src and feeds their rows to out, until the end or until out wants no more.
func Pull[T any](t *Task, src Source, codec *batch.Codec[T], out func(T) bool) error {
	return vectors(t, src, codec, func(rows []T, from int) bool {
		for i := range rows {
			t.advance()
			t.row = from + i
			if !out(rows[i]) {
				return false
			}
		}
		return true
	})
}

// vectors decodes the batches of src and calls f with a few rows at a time, and with the number of the first one in its
// batch, until the end or until f returns false. The rows are overwritten afterwards.
func vectors[T any](t *Task, src Source, codec *batch.Codec[T], f func(rows []T, from int) bool) error {
	d := codec.NewDecoder()
	rows := make([]T, vectorRows)
	for {
		rec, err := t.next(src)
		if err == io.EOF { //nolint:errorlint // one that is wrapped is no end of the input but damage
			return nil
		}
		if err != nil {
			return err
		}
		if goOn, err := recordVectors(t, d, rec, rows, f); err != nil || !goOn {
			return err
		}
	}
}

// next returns the next batch of src.
func (t *Task) next(src Source) (arrow.Record, error) {
	t.op, t.row = t.root, -1
	rec, err := src.Next()
	if err == io.EOF { //nolint:errorlint // see vectors
		return nil, err
	}
	return rec, t.named(err)
}

// recordVectors decodes one batch and releases it; it returns false when f wants no more.
func recordVectors[T any](t *Task, d *batch.Decoder[T], rec arrow.Record, rows []T, f func(rows []T, from int) bool) (bool, error) {
	defer rec.Release()
	if err := d.Reset(rec); err != nil {
		return false, t.blame(err, nil)
	}
	t.decoded += batch.SizeOf(rec)
	for from := 0; from < d.Len(); from += len(rows) {
		some := rows[:min(len(rows), d.Len()-from)]
		d.Read(some, from)
		t.metrics.RowsIn += int64(len(some))
		t.Progress.Rows.Add(int64(len(some)))
		if !f(some, from) {
			return false, nil
		}
	}
	return true, nil
}

// Tee feeds each record to all of outs, until none of them wants more.
func Tee[T any](outs []any) any {
	type out struct {
		f    func(T) bool
		done bool
	}
	all := make([]out, len(outs))
	for i, o := range outs {
		all[i].f = o.(func(T) bool)
	}
	return func(rec T) bool {
		more := false
		for i := range all {
			if o := &all[i]; !o.done {
				o.done = !o.f(rec)
				more = more || !o.done
			}
		}
		return more
	}
}

// encoder collects rows into batches for the port of a node.
type encoder[T any] struct {
	task    *Task
	node    int
	port    Port
	builder *batch.Builder[T]
	rows    []T
	size    batch.Sizer[T]
	bytes   int64    // that rows hold
	parts   []uint32 // of the rows in builder and rows; empty for a sink
	inner   bool     // the port is no output of the stage: its rows are not counted
	limit   int      // the bytes at which rows are handed on
}

func newEncoder[T any](t *Task, node int, port Port, codec *batch.Codec[T]) *encoder[T] {
	e := &encoder[T]{
		task: t, node: node, port: port, builder: codec.NewBuilder(t.Memory), rows: make([]T, 0, vectorRows), size: batch.NewSizer[T](),
		limit: batchBytes,
	}
	t.atEnd = append(t.atEnd, e.builder.Release)
	return e
}

func (e *encoder[T]) add(row T) {
	e.rows = append(e.rows, row)
	e.bytes += e.size.Of(&e.rows[len(e.rows)-1])
	if len(e.rows) == vectorRows || e.bytes >= vectorBytes {
		e.task.pause() // a function may emit for one record without end
		e.task.check(e.encode())
	}
}

// dropLarge lets go of the rows of a vector that large ones have ended.
func dropLarge[T any](rows []T) {
	if len(rows) < vectorRows {
		clear(rows)
	}
}

// encode moves the collected rows to columns, and writes these when they are a batch.
func (e *encoder[T]) encode() error {
	if err := e.builder.Append(e.rows); err != nil {
		e.task.collected(e.node)
		return e.task.blame(err, nil)
	}
	dropLarge(e.rows)
	e.rows, e.bytes = e.rows[:0], 0
	if e.builder.Bytes() < e.limit {
		return nil
	}
	return e.write()
}

func (e *encoder[T]) write() error {
	rows := e.builder.Len()
	if rows == 0 {
		return nil
	}
	rec := e.builder.Record()
	defer rec.Release()
	var parts []uint32
	if len(e.parts) > 0 {
		parts = e.parts[:rows]
		defer func() { e.parts = append(e.parts[:0], e.parts[rows:]...) }()
	}
	if !e.inner {
		e.task.metrics.RowsOut += int64(rows)
	}
	row := e.task.collected(e.node)
	err := e.task.named(e.port.Write(rec, parts))
	e.task.row = row
	return err
}

// finish writes what is left.
func (e *encoder[T]) finish() error {
	if err := e.encode(); err != nil {
		return err
	}
	return e.write()
}

// Sink returns the stream that writes records to the port of a node, as they come.
func Sink[T any](t *Task, node int, port Port, codec *batch.Codec[T]) Stream {
	e := newEncoder(t, node, port, codec)
	return Stream{Consume: func(rec T) bool { e.add(rec); return true }, Finish: e.finish}
}

// Spread returns the stream that deals records out to the partitions in turn. What is read of each split or partition begins at
// another one, so that few records of many of them spread too.
func Spread[T any](t *Task, node int, port Port, codec *batch.Codec[T], partitions int) Stream {
	e := newEncoder(t, node, port, codec)
	next := uint32(t.Ordinal % partitions)
	return Stream{Consume: func(rec T) bool {
		e.parts = append(e.parts, next)
		if next++; next == uint32(partitions) {
			next = 0
		}
		e.add(rec)
		return true
	}, Finish: e.finish}
}
