package exec

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sync/errgroup"

	"fletch/engine/batch"
	"fletch/engine/budget"
	"fletch/engine/coro"
)

// OnCoroutine runs f as an attempt runs, with as much memory as it asks for.
func OnCoroutine(t testing.TB, f func(*Task) error) {
	t.Helper()
	OnCoroutineWithin(t, 1<<40, f)
}

// OnCoroutineWithin runs f as an attempt runs whose share has so many bytes.
func OnCoroutineWithin(t testing.TB, shareBytes int64, f func(*Task) error) {
	t.Helper()
	if err := runOnCoroutine(t, &Task{}, shareBytes, f); err != nil {
		t.Fatal(err)
	}
}

// runOnCoroutine runs f with a task whose share is all of so many bytes, and looks that f gives all of it back.
func runOnCoroutine(t testing.TB, task *Task, shareBytes int64, f func(*Task) error) error {
	t.Helper()
	return runInPool(t, task, budget.NewPool(shareBytes, 1, 1), f)
}

// runInPool is runOnCoroutine with a share of a pool.
func runInPool(t testing.TB, task *Task, pool *budget.Pool, f func(*Task) error) error {
	t.Helper()
	s, err := coro.New(coro.Config{Runners: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return s.Run(ctx) })
	task.Context, task.Progress, task.Log = ctx, new(Progress), slog.New(slog.DiscardHandler)
	if task.Memory == nil {
		task.Memory = memory.NewGoAllocator()
	}
	uncounted := task.Memory
	if task.Spill == nil {
		task.Spill = &MemorySpill{}
	}
	c := s.Spawn(coro.Spec{Name: t.Name()}, func(c *coro.Coroutine) (err error) {
		task.Coroutine = c
		if task.Share, err = pool.Join(c); err != nil {
			return err
		}
		task.Memory = Counted(uncounted, task.Share)
		return task.rows(func() error { return f(task) })
	})
	<-c.Done()
	stop()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if used := task.Share.Used(); used != 0 {
		t.Errorf("%d bytes of the share were not given back", used)
	}
	return c.Err()
}

// arriving returns the allocator of batches that come to a task from elsewhere: it does not count them.
func arriving(t *Task) memory.Allocator { return t.Memory.(*counted).Allocator }

// rows calls f and turns its leaving the rows into its error, as Program.Run does.
func (t *Task) rows(f func() error) (err error) {
	ended := false
	defer func() {
		err = errors.Join(err, t.recovered(recover(), ended))
		for _, f := range t.atEnd {
			f()
		}
		t.atEnd = nil
	}()
	err = f()
	ended = true
	return err
}

// ErrInjected is the failure of a MemorySpill.
var ErrInjected = errors.New("injected failure")

// MemorySpill is a Spill that keeps the batches in memory. It fails when FailAt calls have been made, if that is above
// zero.
type MemorySpill struct {
	FailAt int
	OnCall func(n int) // is called before each of them, if it is set
	Short  bool        // a run is read without its last batch
	Calls  int         // of all that can fail
	Runs   int         // created
	Rows   int64
	open   int // sources
	held   []arrow.Record
}

// Close ends the attempt: what was spilled is gone.
func (s *MemorySpill) Close() {
	for _, rec := range s.held {
		rec.Release()
	}
	s.held = nil
}

// Open returns how many sources have not been closed.
func (s *MemorySpill) Open() int { return s.open }

func (s *MemorySpill) call() error {
	s.Calls++
	if s.OnCall != nil {
		s.OnCall(s.Calls)
	}
	if s.Calls == s.FailAt {
		return ErrInjected
	}
	return nil
}

func (s *MemorySpill) Create(schema *arrow.Schema) (SpillWriter, error) {
	s.Runs++
	return &memoryRun{spill: s, schema: schema}, s.call()
}

// memoryRun is both sides of a run.
type memoryRun struct {
	spill   *MemorySpill
	schema  *arrow.Schema
	batches []arrow.Record
	rows    int64
	bytes   int64
	largest int64
	dropped bool
}

func (r *memoryRun) Write(rec arrow.Record) error {
	if !rec.Schema().Equal(r.schema) {
		return errors.New("the batch is not of the run's schema")
	}
	rec, err := Copied(rec)
	if err != nil {
		return err
	}
	size := batch.SizeOf(rec)
	r.batches, r.spill.held = append(r.batches, rec), append(r.spill.held, rec)
	r.rows, r.bytes, r.largest = r.rows+rec.NumRows(), r.bytes+size, max(r.largest, size)
	r.spill.Rows += rec.NumRows()
	return r.spill.call()
}

// Copied returns a copy of a batch in memory that nobody counts.
func Copied(rec arrow.Record) (arrow.Record, error) {
	columns := make([]arrow.Array, rec.NumCols())
	for i, c := range rec.Columns() {
		var err error
		if columns[i], err = array.Concatenate([]arrow.Array{c}, memory.DefaultAllocator); err != nil {
			return nil, err
		}
	}
	return array.NewRecord(rec.Schema(), columns, rec.NumRows()), nil
}

func (r *memoryRun) Close() (Run, error) { return r, r.spill.call() }
func (r *memoryRun) Rows() int64         { return r.rows }
func (r *memoryRun) Bytes() int64        { return r.bytes }
func (r *memoryRun) ReadBytes() int64    { return 2 * r.largest }

func (r *memoryRun) Open() (Source, error) {
	if r.dropped {
		return nil, errors.New("the run has been dropped")
	}
	if err := r.spill.call(); err != nil {
		return nil, err
	}
	r.spill.open++
	left := slices.Clone(r.batches)
	if r.spill.Short {
		left = left[:len(left)-1]
	}
	return &memorySource{run: r, left: left}, nil
}

func (r *memoryRun) Drop() { r.dropped = true }

// memorySource reads a run.
type memorySource struct {
	run  *memoryRun
	left []arrow.Record
}

func (s *memorySource) Next() (arrow.Record, error) {
	if err := s.run.spill.call(); err != nil {
		return nil, err
	}
	if len(s.left) == 0 {
		return nil, io.EOF
	}
	rec := s.left[0]
	s.left = s.left[1:]
	rec.Retain()
	return rec, nil
}

func (s *memorySource) Position(int) string { return "" }

func (s *memorySource) Close() error {
	s.run.spill.open--
	return nil
}
