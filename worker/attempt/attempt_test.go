package attempt_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"fletch/engine"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/format/textio"
	"fletch/shuffle"
	"fletch/storage"
	"fletch/worker/attempt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench runs the attempts of one job by hand, under the checked allocator.
type bench struct {
	t     *testing.T
	graph *plan.Graph
	job   *attempt.Job
	dir   string // holds the outputs
	temp  string // holds the shuffle files
}

func newBench(t *testing.T, job *engine.Job, partitions int) *bench {
	t.Helper()
	graph, err := job.Graph()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, graph: graph, temp: t.TempDir()}
	stages, err := plan.Stages(graph)
	if err == nil {
		stages, err = plan.Settle(graph, stages, plan.Facts{Partitions: partitions})
	}
	if err != nil {
		t.Fatal(err)
	}
	store, err := shuffle.NewStore(shuffle.Config{Dir: b.temp, MemoryBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	checked := memory.NewCheckedAllocator(memory.NewGoAllocator())
	b.job = &attempt.Job{
		Program: job.Program(), Stages: stages, Shuffle: store, Memory: checked, Outputs: map[int]storage.Output{},
		Pool: budget.NewPool(16<<20, 1, 1), TempDir: b.temp, MaxLineBytes: 1 << 20,
	}
	for _, n := range graph.Nodes {
		if n.Kind != plan.Sink {
			continue
		}
		out, err := storage.NewOutput("job", *n.Sink)
		if err != nil {
			t.Fatal(err)
		}
		b.job.Outputs[n.ID], b.dir = out, filepath.Dir(n.Sink.Path)
		t.Cleanup(func() {
			if err := out.Abort(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if n := checked.CurrentAlloc(); n != 0 {
			t.Errorf("%d bytes are not released", n)
		}
		if n := b.job.Pool.Used(); n != 0 {
			t.Errorf("%d bytes are not given back", n)
		}
	})
	return b
}

// started is an attempt that was begun.
type started struct {
	coroutine *coro.Coroutine
	progress  exec.Progress
	result    plan.Result
	err       error
	told      int // how often
}

// scheduler runs until stop, which waits for its end.
func (b *bench) scheduler() (s *coro.Scheduler, stop func()) {
	b.t.Helper()
	return b.schedulerOf(coro.Config{Runners: 1})
}

func (b *bench) schedulerOf(config coro.Config) (s *coro.Scheduler, stop func()) {
	b.t.Helper()
	s, err := coro.New(config)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return s.Run(ctx) })
	return s, func() {
		cancel()
		if err := g.Wait(); err != nil {
			b.t.Error(err)
		}
	}
}

// start begins an attempt.
func (b *bench) start(s *coro.Scheduler, name string, task plan.Task, producers ...string) *started {
	from := map[int][]shuffle.Producer{}
	for _, x := range b.job.Stages[task.Stage].Reads(b.graph) {
		for _, p := range producers {
			from[x] = append(from[x], shuffle.Producer{Attempt: p})
		}
	}
	a := &started{}
	a.coroutine = s.Spawn(coro.Spec{Name: name}, func(c *coro.Coroutine) error {
		b.job.Run(context.Background(), c, attempt.Spec{
			Name: name, Task: task, Producers: from, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Progress: &a.progress,
		}, func(r plan.Result, err error) { a.result, a.err, a.told = r, err, a.told+1 })
		return nil
	})
	return a
}

// outcome waits for the end of an attempt.
func (b *bench) outcome(a *started) (plan.Result, error) {
	b.t.Helper()
	<-a.coroutine.Done()
	if a.told != 1 {
		b.t.Errorf("the outcome was told %d times", a.told)
	}
	return a.result, a.err
}

// run runs one attempt to its end.
func (b *bench) run(name string, task plan.Task, producers ...string) (plan.Result, error) {
	b.t.Helper()
	s, stop := b.scheduler()
	defer stop()
	return b.outcome(b.start(s, name, task, producers...))
}

func wordLengths(t *testing.T, f func(string) engine.KV[int, string]) *engine.Job {
	job := engine.NewJob("lengths")
	words := engine.FromSlice(job, strings.Fields("a bb cc dddd eeeee a dddd ffffff ggggggg"))
	longest := engine.Reduce(engine.Map(words, f), func(a, b string) string { return a + " " + b })
	textio.Write(engine.Map(longest, func(kv engine.KV[int, string]) string { return kv.Value }), filepath.Join(t.TempDir(), "out"))
	return job
}

func byLength(w string) engine.KV[int, string] { return engine.Pair(len(w), w) }

// TestPartitionRange runs the reading stage over all partitions in one task, and each in a task of its own: the parts are
// the same.
func TestPartitionRange(t *testing.T) {
	const partitions = 5
	b := newBench(t, wordLengths(t, byLength), partitions)
	split := &plan.Split{Count: 9}
	written, err := b.run("map", plan.Task{Split: split})
	if err != nil {
		t.Fatal(err)
	}
	if len(written.Shuffles) != 1 || len(written.Shuffles[0].Bytes) != partitions {
		t.Fatalf("shuffles %+v, want one of %d partitions", written.Shuffles, partitions)
	}
	whole, err := b.run("all", plan.Task{Stage: 1, Lo: 0, Hi: partitions}, "map")
	if err != nil {
		t.Fatal(err)
	}
	rows := int64(0)
	for p := range partitions {
		one, err := b.run("one", plan.Task{Stage: 1, Index: p, Lo: p, Hi: p + 1}, "map")
		if err != nil {
			t.Fatal(err)
		}
		got, want := whole.Parts[p], one.Parts[0]
		if got.Partition != p || got.Rows != want.Rows || got.Bytes != want.Bytes || got.CRC32C != want.CRC32C {
			t.Errorf("partition %d: %+v of the range, %+v alone", p, got, want)
		}
		rows += got.Rows
	}
	if rows != 6 {
		t.Errorf("%d rows in all, want one for each of 6 lengths", rows)
	}
	if m := whole.Metrics; m.RowsIn != 6 || m.RowsOut != 6 || m.BytesIn == 0 || m.BytesOut != 41 {
		t.Errorf("metrics %+v, want 6 rows in and out, of 41 bytes", m)
	}
}

// TestFailureLeavesNothing fails attempts at each place where they can fail.
func TestFailureLeavesNothing(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		f     func(string) engine.KV[int, string]
		class fault.Class
	}{
		"panic":  {func(w string) engine.KV[int, string] { panic(boom) }, fault.User},
		"goexit": {func(w string) engine.KV[int, string] { runtime.Goexit(); return byLength(w) }, fault.User},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, wordLengths(t, c.f), 2)
			_, err := b.run("map", plan.Task{Split: &plan.Split{Count: 9}})
			if err == nil || fault.ClassOf(err) != c.class {
				t.Errorf("error %v of class %v, want class %v", err, fault.ClassOf(err), c.class)
			}
			b.empty()
		})
	}
	t.Run("lost producer", func(t *testing.T) {
		b := newBench(t, wordLengths(t, byLength), 2)
		_, err := b.run("reduce", plan.Task{Stage: 1, Hi: 2}, "nobody")
		var lost *shuffle.LostError
		if !errors.As(err, &lost) || !slices.Equal(lost.Attempts, []string{"nobody"}) || fault.ClassOf(err) != fault.FetchFailed {
			t.Errorf("error %v of class %v, want one that names the producer", err, fault.ClassOf(err))
		}
		b.empty()
	})
	t.Run("writer", func(t *testing.T) {
		for _, w := range []failingWriter{{write: boom}, {close: boom}, {open: boom}} {
			job := engine.NewJob("writer")
			engine.To(engine.Range(job, 0, 10), engine.Sink[int64]{
				Op: "failing", Location: plan.Location{Path: filepath.Join(t.TempDir(), "out"), Suffix: ".txt"},
				Open: func(*engine.Task, io.Writer) (engine.Writer, error) { return w, w.open },
			})
			b := newBench(t, job, 0)
			if _, err := b.run("map", plan.Task{Split: &plan.Split{Count: 10}}); !errors.Is(err, boom) {
				t.Errorf("%+v: error %v, want boom", w, err)
			}
			b.empty()
		}
	})
}

// failingWriter is a format that fails at one of its calls.
type failingWriter struct{ open, write, close error }

func (w failingWriter) Write(arrow.Record) error { return w.write }
func (w failingWriter) Close() error             { return w.close }

// empty checks that no attempt has left a file: beside the output there is the staging directory with its lock.
func (b *bench) empty() {
	b.t.Helper()
	for _, dir := range []string{b.dir, b.temp} {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.Contains(d.Name(), "lock") {
				b.t.Errorf("%s is left", path)
			}
			return err
		})
		if err != nil {
			b.t.Error(err)
		}
	}
}
