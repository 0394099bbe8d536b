package exec_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sync/errgroup"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/exec"
	"fletch/engine/plan"
)

// bench runs the stages of one job by hand, under the checked allocator: what an exchange moves and what sinks take is
// kept in memory.
type bench struct {
	t          *testing.T
	memory     *memory.CheckedAllocator
	program    exec.Program
	stages     []plan.Stage
	shareBytes int64 // of a task's share
	partitions int
	ports      map[int]*port // by node
	metrics    plan.Metrics  // of the last run
	read       int           // batches that the source of the last run was asked for
}

func newBench(t *testing.T, job *engine.Job) *bench {
	t.Helper()
	graph, err := job.Graph()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, program: job.Program(), shareBytes: 1 << 40, partitions: 3, ports: map[int]*port{}}
	b.memory = memory.NewCheckedAllocator(memory.NewGoAllocator())
	if b.stages, err = plan.Stages(graph); err != nil {
		t.Fatal(err)
	}
	for _, n := range graph.Nodes {
		b.ports[n.ID] = &port{}
	}
	t.Cleanup(func() {
		for _, p := range b.ports {
			p.clear()
		}
		b.memory.AssertSize(t, 0)
	})
	return b
}

// run runs a task of a stage over src, on a coroutine. It returns the error of Program.Run.
func (b *bench) run(stage int, open func(*exec.Task) exec.Source) (err error) {
	b.t.Helper()
	s, e := coro.New(coro.Config{Runners: 1})
	if e != nil {
		b.t.Fatal(e)
	}
	ctx, stop := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return s.Run(ctx) })
	ports := map[int]exec.Port{}
	for node, p := range b.ports {
		ports[node] = p
	}
	spill := &exec.MemorySpill{}
	defer spill.Close()
	c := s.Spawn(coro.Spec{Name: b.t.Name()}, func(c *coro.Coroutine) error {
		task := &exec.Task{
			Context: ctx, Coroutine: c, Log: slog.New(slog.DiscardHandler), Progress: new(exec.Progress),
			Partitions: func(int) int { return b.partitions }, Spill: spill,
		}
		share, e := budget.NewPool(b.shareBytes, 1, 1).Join(c)
		if e != nil {
			return e
		}
		task.Share, task.Memory = share, exec.Counted(b.memory, share)
		src := &counted{Source: open(task)}
		defer func() { // also if user code ends the goroutine
			err, b.metrics, b.read = cmp.Or(err, task.Failure()), task.Metrics(), src.calls
			if e := src.Close(); e != nil {
				b.t.Error(e)
			}
			if used := share.Used(); used != 0 {
				b.t.Errorf("%d bytes of the share were not given back", used)
			}
		}()
		err = b.program.Run(task, &b.stages[stage], ports, src)
		return nil
	})
	<-c.Done()
	stop()
	if e := g.Wait(); e != nil {
		b.t.Error(e)
	}
	if e := c.Err(); e != nil && !errors.Is(e, coro.ErrGoexit) {
		b.t.Fatal(e)
	}
	return err
}

// source runs the stage of a source of n items as one task.
func (b *bench) source(stage int, n int64) error {
	return b.run(stage, func(t *exec.Task) exec.Source { return b.open(t, stage, n) })
}

// open opens a source of n items as an attempt does.
func (b *bench) open(t *exec.Task, stage int, n int64) (src exec.Source) {
	root := b.stages[stage].Root
	err := b.program.Guard(t, root, func() (err error) {
		src, err = b.program[root].Open(t, plan.Split{Count: n})
		return err
	})
	if err != nil {
		b.t.Error(err)
	}
	return src
}

// exchange runs the stage behind an exchange over one partition of what was moved.
func (b *bench) exchange(stage, partition int) error {
	p := b.ports[b.stages[stage].Root]
	return b.run(stage, func(*exec.Task) exec.Source { return &replay{records: p.partition(uint32(partition))} })
}

// port keeps what is written to it.
type port struct {
	records []arrow.Record
	parts   [][]uint32
}

func (p *port) Write(rec arrow.Record, parts []uint32) error {
	rec, err := exec.Copied(rec) // the task's memory is given back at its end
	p.records, p.parts = append(p.records, rec), append(p.parts, slices.Clone(parts))
	return err
}

func (p *port) clear() {
	for _, rec := range p.records {
		rec.Release()
	}
	p.records, p.parts = nil, nil
}

// partition returns the rows of a partition, each as a record.
func (p *port) partition(want uint32) (rows []arrow.Record) {
	for i, rec := range p.records {
		for row, part := range p.parts[i] {
			if part == want {
				rows = append(rows, rec.NewSlice(int64(row), int64(row)+1))
			}
		}
	}
	return rows
}

// replay is a source of given records, which it owns.
type replay struct{ records []arrow.Record }

func (r *replay) Next() (arrow.Record, error) {
	if len(r.records) == 0 {
		return nil, io.EOF
	}
	rec := r.records[0]
	r.records = r.records[1:]
	return rec, nil
}

func (r *replay) Position(int) string { return "somewhere" }

func (r *replay) Close() error {
	for _, rec := range r.records {
		rec.Release()
	}
	return nil
}

// counted counts the calls of Next, of which each is told to read 100 bytes.
type counted struct {
	exec.Source
	calls int
}

func (c *counted) Next() (arrow.Record, error) {
	c.calls++
	return c.Source.Next()
}

func (c *counted) BytesRead() int64 { return int64(100 * c.calls) }

// rowsOf decodes what a port holds.
func rowsOf[T any](t *testing.T, p *port) (rows []T) {
	t.Helper()
	codec, err := batch.CodecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	d := codec.NewDecoder()
	for _, rec := range p.records {
		if err := d.Reset(rec); err != nil {
			t.Fatal(err)
		}
		some := make([]T, d.Len())
		d.Read(some, 0)
		rows = append(rows, some...)
	}
	return rows
}

// write adds a sink whose port keeps the rows, and returns its node.
func write[T any](in engine.Dataset[T]) (node int) {
	node = len(in.Job().Program())
	engine.To(in, engine.Sink[T]{
		Op: "keep", Location: plan.Location{Path: fmt.Sprintf("nowhere-%d", node)},
		Open: func(*engine.Task, io.Writer) (engine.Writer, error) { return nil, nil },
	})
	return node
}
