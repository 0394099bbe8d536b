package exec

import (
	"iter"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

// FlatMap returns the consumer that feeds each element of f's sequence to out.
func FlatMap[T, U any](t *Task, node int, f func(T) iter.Seq[U], out func(U) bool) func(T) bool {
	if known := knownSequence(f); known != nil { // it cannot fail, so nothing has to be noted around its elements
		return func(rec T) bool { return known(rec, out) }
	}
	more := true
	yield := func(u U) bool {
		t.pause()
		ok := out(u)
		if !ok {
			more = false
		}
		t.Enter(node)
		return ok
	}
	return func(rec T) bool {
		t.Enter(node)
		f(rec)(yield)
		return more
	}
}

// MapBatches returns the stream that collects records into batches, gives these to f and feeds the rows of what f
// returns to out. The batch that f gets and the one that it returns are released afterwards; f may return the one it got,
// retained, or nil for nothing.
func MapBatches[T, U any](t *Task, node int, in *batch.Codec[T], to *batch.Codec[U], f func(arrow.Record) (arrow.Record, error), out func(U) bool) Stream {
	d := to.NewDecoder()
	rows := make([]U, vectorRows)
	more := true
	through := portFunc(func(rec arrow.Record, _ []uint32) error {
		if !more {
			return nil
		}
		got, err := f(rec)
		if err != nil {
			t.Fail(err)
		}
		if got == nil {
			return nil
		}
		defer got.Release()
		if err := d.Reset(got); err != nil {
			return t.blame(err, nil)
		}
		for from := 0; from < d.Len() && more; from += len(rows) {
			some := rows[:min(len(rows), d.Len()-from)]
			d.Read(some, from)
			for i := range some {
				t.pause()
				if more = out(some[i]); !more {
					break
				}
			}
		}
		return nil
	})
	e := newEncoder(t, node, through, in)
	e.inner = true
	return Stream{Consume: func(rec T) bool { e.add(rec); return more }, Finish: e.finish}
}

// portFunc is a Port that is a function.
type portFunc func(rec arrow.Record, parts []uint32) error

func (f portFunc) Write(rec arrow.Record, parts []uint32) error { return f(rec, parts) }
