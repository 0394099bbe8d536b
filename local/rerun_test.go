package local_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sync/errgroup"

	"fletch/engine"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/format/textio"
	"fletch/master/state"
	"fletch/shuffle"
	"fletch/storage"
	"fletch/worker/attempt"
)

// TestLossBehindAJoin runs jobs whose join has less memory, and so another order, when it runs again: after one reader of
// what was made of its result has committed, every stage loses all that it reads.
func TestLossBehindAJoin(t *testing.T) {
	const n = 60_000
	type joined = engine.KV[string, engine.Joined[engine.Optional[string], engine.Optional[string]]]
	side := func(job *engine.Job) engine.Dataset[engine.KV[string, string]] {
		return engine.Map(engine.Range(job, 0, n), func(i int64) engine.KV[string, string] {
			return engine.Pair(fmt.Sprintf("%06d", i*7919%n), payload(i))
		})
	}
	full := func(job *engine.Job) engine.Dataset[string] {
		return engine.Map(engine.FullJoin(side(job), side(job)), func(j joined) string { return j.Key + j.Value.Left.Value })
	}
	looked := func(job *engine.Job) engine.Dataset[string] {
		return engine.Map(engine.SemiJoin(side(job), side(job)), func(kv engine.KV[string, string]) string { return kv.Key + kv.Value })
	}
	for name, c := range map[string]struct {
		joined func(*engine.Job) engine.Dataset[string]
		then   func(engine.Dataset[string]) engine.Dataset[string]
		sorted bool
	}{
		"meet, repartition":    {full, func(in engine.Dataset[string]) engine.Dataset[string] { return engine.Repartition(in, 2) }, false},
		"look up, repartition": {looked, func(in engine.Dataset[string]) engine.Dataset[string] { return engine.Repartition(in, 2) }, false},
		"meet, sort": {full, func(in engine.Dataset[string]) engine.Dataset[string] {
			return engine.SortBy(in, engine.Asc(func(line string) string { return line }))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			job := engine.NewJob("rerun")
			textio.Write(c.then(c.joined(job)), out)
			newLossy(t, job, 2).run()
			lines := readLines(t, out)
			if c.sorted && !slices.IsSorted(lines) {
				t.Error("the parts are out of order")
			}
			slices.Sort(lines)
			if distinct := len(slices.Compact(slices.Clone(lines))); len(lines) != n || distinct != n {
				t.Errorf("%d lines, %d of them different, want each of %d once", len(lines), distinct, n)
			}
		})
	}
}

// payload returns text that can't be compressed, so that partitions are large enough for a task each.
func payload(i int64) string {
	random := rand.New(rand.NewPCG(uint64(i), 0))
	text := make([]byte, 0, 128)
	for range 8 {
		text = fmt.Appendf(text, "%016x", random.Uint64())
	}
	return string(text)
}

func readLines(t *testing.T, dir string) (lines []string) {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range parts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Fields(string(text))...)
	}
	return lines
}

// lossy runs one job, an attempt after the other.
type lossy struct {
	t         *testing.T
	machine   *state.Machine
	attempts  *attempt.Job
	scheduler *coro.Scheduler
	number    uint64
	losing    bool  // stages lose what they read
	lost      []int // the stages that have
}

func newLossy(t *testing.T, job *engine.Job, partitions int) *lossy {
	t.Helper()
	graph, err := job.Graph()
	if err != nil {
		t.Fatal(err)
	}
	l := &lossy{t: t, machine: state.New()}
	o, err := l.machine.Apply(state.Submit{ID: "rerun", Graph: graph, Settings: state.Settings{Partitions: partitions, MaxLost: 9}})
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	store, err := shuffle.NewStore(shuffle.Config{Dir: temp, MemoryBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	l.attempts = &attempt.Job{
		Program: job.Program(), Stages: o.Job.Plan(), Shuffle: store, Memory: memory.NewGoAllocator(), Outputs: map[int]storage.Output{},
		TempDir: temp, MaxLineBytes: 1 << 20,
	}
	for _, n := range graph.Nodes {
		if n.Kind == plan.Sink {
			if l.attempts.Outputs[n.ID], err = storage.NewOutput("rerun", *n.Sink); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.scheduler, err = coro.New(coro.Config{Runners: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return l.scheduler.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		for _, out := range l.attempts.Outputs {
			err = cmp.Or(err, out.Abort())
		}
		if err = cmp.Or(err, g.Wait(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// run brings the job to its end.
func (l *lossy) run() {
	for {
		switch j := l.machine.Job("rerun"); {
		case j.Status.Ended():
			if err := j.Err(); err != nil {
				l.t.Fatal(err)
			}
			return
		case j.Duty == state.DutyPlan:
			tasks, skip, err := plan.Next(j.Graph, j.Plan(), j.Facts())
			if err != nil {
				l.t.Fatal(err)
			}
			l.apply(state.Plan{Job: j.ID, Tasks: tasks, Skip: skip})
		case j.Duty == state.DutyCommit:
			l.apply(state.Publish{Job: j.ID})
		case j.Duty == state.DutyPublish:
			for sink, parts := range j.Parts() {
				if err := l.attempts.Outputs[sink].Publish(parts); err != nil {
					l.t.Fatal(err)
				}
			}
			l.apply(state.Published{Job: j.ID})
		default:
			l.step(j)
		}
	}
}

func (l *lossy) apply(c state.Command) {
	l.t.Helper()
	if _, err := l.machine.Apply(c); err != nil {
		l.t.Fatal(err)
	}
}

// step runs an attempt of a pending task, or lets it find that what it reads is lost.
func (l *lossy) step(j *state.Job) {
	for i, s := range j.Stages {
		t := s.NextPending(0)
		if t == nil || !j.Runnable(i) {
			continue
		}
		l.number++
		id := state.AttemptID{Job: j.ID, Stage: i, StageAttempt: t.StageAttempt, Task: t.Index, Term: 1, Number: l.number}
		producers := j.Producers(i)
		if l.losing && len(producers) > 0 && !slices.Contains(l.lost, i) {
			l.lost = append(l.lost, i)
			f := state.Fail{Attempt: id, Class: fault.FetchFailed, Message: "lost"}
			for _, list := range producers {
				for _, p := range list {
					f.Lost = append(f.Lost, p.Attempt)
				}
			}
			l.apply(f)
			return
		}
		l.apply(state.Commit{Attempt: id, Result: l.attempt(id, t, producers)})
		// The last stage is the reader of what was made of the join.
		l.losing = l.losing || i == len(j.Stages)-1
		return
	}
	l.t.Fatal("nothing can bring the job on")
}

// attempt runs an attempt in as much memory as it needs, or in less if the task runs again.
func (l *lossy) attempt(id state.AttemptID, t *state.Task, producers map[int][]state.Producer) (result plan.Result) {
	l.t.Helper()
	spec := attempt.Spec{
		Name: id.String(), Task: t.Task, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Progress: &exec.Progress{},
		Producers: map[int][]shuffle.Producer{},
	}
	for exchange, list := range producers {
		for _, p := range list {
			spec.Producers[exchange] = append(spec.Producers[exchange], shuffle.Producer{Attempt: p.Attempt.String()})
		}
	}
	l.attempts.Pool = budget.NewPool(64<<20, 1, 1)
	if t.StageAttempt > 0 {
		l.attempts.Pool = budget.NewPool(4<<20, 1, 1)
	}
	var err error
	c := l.scheduler.Spawn(coro.Spec{Name: spec.Name}, func(c *coro.Coroutine) error {
		l.attempts.Run(context.Background(), c, spec, func(r plan.Result, e error) { result, err = r, e })
		return nil
	})
	<-c.Done()
	if err != nil {
		l.t.Fatalf("%s: %v", id, err)
	}
	return result
}
