package engine_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine"
	"fletch/local"
)

// failsOnce is a writer whose first batch is lost.
type failsOnce struct{ failed bool }

var errDisk = errors.New("the disk is full")

func (w *failsOnce) Write(arrow.Record) error {
	if w.failed {
		return nil
	}
	w.failed = true
	return errDisk
}

func (w *failsOnce) Close() error { return nil }

// TestRecoverHidesNothing has functions that recover from every panic, as those do that skip bad records. What fails
// behind them must fail the job all the same: records are lost by then.
func TestRecoverHidesNothing(t *testing.T) {
	process := func(in engine.Dataset[int64]) engine.Dataset[int64] {
		return engine.Process(in, func(_ *engine.Task, n int64, emit func(int64)) error {
			defer func() { _ = recover() }()
			emit(n)
			return nil
		})
	}
	flatMap := func(in engine.Dataset[int64]) engine.Dataset[int64] {
		return engine.FlatMap(in, func(n int64) iter.Seq[int64] {
			return func(yield func(int64) bool) {
				defer func() { _ = recover() }()
				yield(n)
			}
		})
	}
	group := func(in engine.Dataset[int64]) engine.Dataset[int64] {
		return engine.GroupByKey(engine.KeyBy(in, func(n int64) int64 { return n }), func(n int64, _ iter.Seq[int64]) iter.Seq[int64] {
			return func(yield func(int64) bool) {
				defer func() { _ = recover() }()
				yield(n)
			}
		})
	}
	for name, operator := range map[string]func(engine.Dataset[int64]) engine.Dataset[int64]{"Process": process, "FlatMap": flatMap, "GroupByKey": group} {
		t.Run(name+" before a panic", func(t *testing.T) {
			in := engine.Map(operator(engine.Range(engine.NewJob("test"), 0, 1000)), func(n int64) int64 {
				if n == 500 {
					panic("ouch")
				}
				return n
			})
			if got, err := local.Collect(context.Background(), in); err == nil || !strings.Contains(err.Error(), "recovered") {
				t.Errorf("%d records and error %v, want one that says what went on", len(got), err)
			}
		})
		t.Run(name+" before a failing sink", func(t *testing.T) {
			job := engine.NewJob("test")
			engine.To(operator(engine.Range(job, 0, 100_000)), engine.Sink[int64]{
				Op: "mine.Write", Location: location(t),
				Open: func(*engine.Task, io.Writer) (engine.Writer, error) { return &failsOnce{}, nil },
			})
			if _, err := local.Run(context.Background(), job, local.Config{}); !errors.Is(err, errDisk) {
				t.Errorf("error %v, want that of the sink", err)
			}
		})
	}
}

// TestDeafFunctions hand on more than is wanted. It is dropped.
func TestDeafFunctions(t *testing.T) {
	first := func(in engine.Dataset[int64]) []int64 {
		return collect(t, engine.TopN(in, 0, engine.Asc(func(n int64) int64 {
			if n > 0 {
				panic("a record is fed to who wants no more")
			}
			return n
		})))
	}
	job := engine.NewJob("test")
	got := first(engine.FlatMap(engine.Range(job, 0, 1), func(int64) iter.Seq[int64] {
		return func(yield func(int64) bool) {
			for n := range int64(10) {
				yield(n)
			}
		}
	}))
	if len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
	got = first(engine.Process(engine.Range(job, 0, 1), func(_ *engine.Task, _ int64, emit func(int64)) error {
		for n := range int64(10) {
			emit(n)
		}
		return nil
	}))
	if len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
}
