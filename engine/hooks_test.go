package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/local"
)

// hooks is a source of three batches of ten numbers each, with what happens in its calls.
type hooks struct {
	open, position, closing func()
	next                    func(batch int) error // of a batch, from 0 on; nil yields the batch
}

func (h hooks) source() engine.Source[int64] {
	return engine.Source[int64]{Op: "mine.Read", Input: plan.Input{Items: 1}, Open: func(t *engine.Task, _ plan.Split) (engine.Reader, error) {
		call(h.open)
		codec, err := batch.CodecOf[int64]()
		if err != nil {
			return nil, err
		}
		return &hookReader{hooks: h, builder: codec.NewBuilder(t.Allocator())}, nil
	}}
}

func call(f func()) {
	if f != nil {
		f()
	}
}

type hookReader struct {
	hooks
	builder *batch.Builder[int64]
	batches int
}

func (r *hookReader) Next() (arrow.Record, error) {
	n := r.batches
	r.batches++
	if r.next != nil {
		if err := r.next(n); err != nil {
			return nil, err
		}
	}
	if n == 3 {
		return nil, io.EOF
	}
	for i := range int64(10) {
		if err := r.builder.Append([]int64{int64(10*n) + i}); err != nil {
			return nil, err
		}
	}
	return r.builder.Record(), nil
}

func (r *hookReader) Position(row int) string {
	call(r.position)
	return fmt.Sprintf("row %d of batch %d", row, r.batches-1)
}

func (r *hookReader) Close() error {
	r.builder.Release()
	call(r.closing)
	return nil
}

// hookWriter is a sink's writer with what happens in its calls.
type hookWriter struct{ open, write, closing func() }

func (w hookWriter) Write(arrow.Record) error { call(w.write); return nil }
func (w hookWriter) Close() error             { call(w.closing); return nil }

func (w hookWriter) sink(t *testing.T) engine.Sink[int64] {
	return engine.Sink[int64]{Op: "mine.Write", Location: location(t), Open: func(*engine.Task, io.Writer) (engine.Writer, error) {
		call(w.open)
		return w, nil
	}}
}

// TestHookFailures lets each hook of a source and of a sink panic or end its goroutine. The error is of the user's code and
// names the operator, and a record only where one is at work.
func TestHookFailures(t *testing.T) {
	atBatch := func(n int, f func()) func(int) error {
		return func(batch int) error {
			if batch == n {
				f()
			}
			return nil
		}
	}
	for way, fail := range map[string]func(){"panic": func() { panic("ouch") }, "goexit": runtime.Goexit} {
		for _, c := range []struct {
			name   string
			source hooks
			sink   hookWriter
			op     string
		}{
			{"open of a source", hooks{open: fail}, hookWriter{}, "mine.Read"},
			{"first batch", hooks{next: atBatch(0, fail)}, hookWriter{}, "mine.Read"},
			{"later batch", hooks{next: atBatch(2, fail)}, hookWriter{}, "mine.Read"},
			{"end of a source", hooks{next: atBatch(3, fail)}, hookWriter{}, "mine.Read"},
			{"close of a source", hooks{closing: fail}, hookWriter{}, "mine.Read"},
			{"open of a sink", hooks{}, hookWriter{open: fail}, "mine.Write"},
			{"write", hooks{}, hookWriter{write: fail}, "mine.Write"},
			{"close of a sink", hooks{}, hookWriter{closing: fail}, "mine.Write"},
		} {
			t.Run(way+" in the "+c.name, func(t *testing.T) {
				job := engine.NewJob("test")
				numbers := engine.Map(engine.From(job, c.source.source()), func(n int64) int64 { return n })
				engine.To(numbers, c.sink.sink(t))
				_, err := local.Run(context.Background(), job, local.Config{})
				var op *exec.OperatorError
				if !errors.As(err, &op) || fault.ClassOf(err) != fault.User {
					t.Fatalf("error %v of class %v is no OperatorError of class user", err, fault.ClassOf(err))
				}
				if !strings.HasPrefix(op.Op, c.op+" (") || op.Position != "" {
					t.Errorf("operator %q at the record %q, want %s and no record", op.Op, op.Position, c.op)
				}
			})
		}
	}
}

// TestPositionPanics sees that a failure is told even where the record's place can't be.
func TestPositionPanics(t *testing.T) {
	in := engine.From(engine.NewJob("test"), hooks{position: func() { panic("nowhere") }}.source())
	_, err := local.Collect(context.Background(), engine.Map(in, func(int64) int64 { panic("ouch") }))
	if err == nil || !strings.Contains(err.Error(), "Map (") || !strings.Contains(err.Error(), "ouch") {
		t.Errorf("error %v, want the panic of Map", err)
	}
}

// TestEndTooEarly has a source whose input ends in the middle of something: that is no end of the input.
func TestEndTooEarly(t *testing.T) {
	in := engine.From(engine.NewJob("test"), hooks{next: func(batch int) error {
		if batch == 2 {
			return fmt.Errorf("read the footer: %w", io.EOF)
		}
		return nil
	}}.source())
	if got, err := local.Collect(context.Background(), in); err == nil || !strings.Contains(err.Error(), "read the footer") {
		t.Errorf("%d records and error %v, want the source's error", len(got), err)
	}
}

// nilError has a method that needs what it does not have.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func TestErrorThatCannotBePrinted(t *testing.T) {
	in := engine.Process(engine.Range(engine.NewJob("test"), 0, 1), func(*engine.Task, int64, func(int64)) error {
		var e *nilError
		return e
	})
	if _, err := local.Collect(context.Background(), in); err == nil || !strings.Contains(err.Error(), "Process (") {
		t.Errorf("error %v, want one that names Process", err)
	}
}

// TestNoRecordIsBlamedForOthers fails where records that were collected before are folded or handled together: which of
// them it is, is not known.
func TestNoRecordIsBlamedForOthers(t *testing.T) {
	for name, build := range map[string]func(in engine.Dataset[int64]) engine.Dataset[int64]{
		"Reduce": func(in engine.Dataset[int64]) engine.Dataset[int64] {
			one := engine.KeyBy(in, func(int64) bool { return true })
			sum := engine.Reduce(one, func(a, b int64) int64 {
				if b == 10 {
					panic("ten")
				}
				return a + b
			})
			return engine.Map(sum, func(kv engine.KV[bool, int64]) int64 { return kv.Value })
		},
		"MapBatches": func(in engine.Dataset[int64]) engine.Dataset[int64] {
			many := engine.FlatMap(in, func(n int64) iter.Seq[int64] {
				return func(yield func(int64) bool) {
					for range 1000 {
						if !yield(n) {
							return
						}
					}
				}
			})
			return engine.MapBatches[int64, int64](many, func(*engine.Task, arrow.Record) (arrow.Record, error) { return nil, errors.New("bad") })
		},
	} {
		_, err := local.Collect(context.Background(), build(engine.Range(engine.NewJob("test"), 0, 1000)))
		var op *exec.OperatorError
		if !errors.As(err, &op) || !strings.HasPrefix(op.Op, name+" (") || op.Position != "" {
			t.Errorf("%s: error %v, want one of it without a record", name, err)
		}
	}
}

// TestHooksThatReturnNothing sees that a forgotten return value is told as what it is.
func TestHooksThatReturnNothing(t *testing.T) {
	job := engine.NewJob("test")
	in := engine.From(job, engine.Source[int64]{Op: "mine.Read", Input: plan.Input{Items: 1}, Open: func(*engine.Task, plan.Split) (engine.Reader, error) {
		return nil, nil
	}})
	if _, err := local.Collect(context.Background(), in); err == nil || !strings.Contains(err.Error(), "mine.Read (") || !strings.Contains(err.Error(), "neither") {
		t.Errorf("error %v, want one of the source", err)
	}
	engine.To(engine.Range(job, 0, 1), engine.Sink[int64]{Op: "mine.Write", Location: location(t), Open: func(*engine.Task, io.Writer) (engine.Writer, error) {
		return nil, nil
	}})
	if _, err := local.Run(context.Background(), job, local.Config{}); err == nil || !strings.Contains(err.Error(), "mine.Write (") || !strings.Contains(err.Error(), "neither") {
		t.Errorf("error %v, want one of the sink", err)
	}
}
