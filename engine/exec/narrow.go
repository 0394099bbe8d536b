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
	next := feed[U]{task: t, node: node, out: out, more: true}
	yield := next.yield
	return func(rec T) bool {
		t.Enter(node)
		f(rec)(yield)
		return next.wanted()
	}
}

// Process returns the consumer that feeds what f emits for each record to out.
func Process[T, U any](t *Task, node int, f func(rec T, emit func(U)) error, out func(U) bool) func(T) bool {
	next := feed[U]{task: t, node: node, out: out, more: true}
	emit := func(u U) { next.yield(u) }
	return func(rec T) bool {
		t.Enter(node)
		if err := f(rec, emit); err != nil {
			t.check(t.blame(err, nil))
		}
		return next.wanted()
	}
}

// feed is how user code that calls back feeds a consumer. The code may go on after it was told to stop, and recover from
// what happens in the consumer: neither may lose a record without a word or reach a consumer that has had enough.
type feed[U any] struct {
	task   *Task
	node   int // of the user code
	out    func(U) bool
	more   bool // out wants more
	inside bool // out has not returned
}

func (f *feed[U]) yield(u U) bool {
	if !f.more || f.inside {
		return false
	}
	f.task.pause()
	f.inside = true
	f.more = f.out(u)
	f.inside = false
	f.task.Enter(f.node)
	return f.more
}

// wanted tells, once the user code has returned, whether the consumer wants more.
func (f *feed[U]) wanted() bool {
	if f.inside {
		f.task.Enter(f.node)
		f.task.check(f.task.blame(errRecovered, nil))
	}
	return f.more
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
			return t.blame(err, nil)
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
				t.advance()
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
