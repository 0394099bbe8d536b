package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fletch/api"
	"fletch/engine"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/format/csvio"
	"fletch/format/textio"
	"fletch/local"
	"fletch/shuffle"
)

// opens is a plugin whose function Job is declare.
func opens(declare func([]string) (*engine.Job, error)) Opener {
	return func(string) (func([]string) (*engine.Job, error), error) { return declare, nil }
}

// counts counts the words of args[0] into args[1].
func counts(args []string) (*engine.Job, error) {
	job := engine.NewJob("counts")
	words := engine.FlatMap(textio.Read(job, args[0]), strings.FieldsSeq)
	csvio.Write(engine.Count(words), args[1])
	return job, nil
}

// text writes a few files of words and returns their glob.
func text(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 4 {
		var b strings.Builder
		for k := range 2000 {
			fmt.Fprintf(&b, "word%d and word%d of %d\n", k%97, k*i%31, i)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.txt", i)), []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir + "/*.txt"
}

// embedded returns what local.Run writes.
func embedded(t *testing.T, input string) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "local")
	job, err := counts([]string{input, dir})
	if err == nil {
		_, err = local.Run(t.Context(), job, local.Config{Partitions: 3, MemoryBytes: 1 << 30})
	}
	if err != nil {
		t.Fatal(err)
	}
	return content(t, dir)
}

// run runs the reading stage of counts, one task for each partition, and publishes the output.
func (a *agent) reduce(w *work, version uint64) {
	a.t.Helper()
	last := &w.stages[1]
	for p := range last.Partitions {
		a.start(fmt.Sprintf("reduce-%d-%d", version, p), plan.Task{Stage: 1, Index: p, Lo: p, Hi: p + 1}, version)
	}
	var parts []plan.Part
	for _, r := range a.succeeded(last.Partitions) {
		parts = append(parts, r.Parts...)
	}
	w.publish(a.t, last.Outputs[0], parts)
}

// TestTwoStages counts words by way of memory that the agent gives, and of files where it has none.
func TestTwoStages(t *testing.T) {
	input := text(t)
	want := embedded(t, input)
	for name, refuse := range map[string]bool{"memory": false, "files": true} {
		t.Run(name, func(t *testing.T) {
			output := filepath.Join(t.TempDir(), "out")
			w := plans(t, counts, input, output)
			w.stage(t)
			a := newAgent(t, opens(counts))
			a.refuse = refuse
			if pid := next[*api.ExecutorMessage_Hello](a).Hello.Pid; pid != int64(os.Getpid()) {
				t.Errorf("the executor says that it is process %d", pid)
			}
			if err := a.load(w.message()); err != nil {
				t.Fatal(err)
			}
			maps := a.startSplits(w)
			rows := int64(0)
			for _, r := range a.succeeded(len(maps)) {
				rows += r.Metrics.RowsIn
			}
			if rows != 8000 {
				t.Errorf("%d lines were read, want 8000", rows)
			}
			slices.Sort(a.asked)
			if !slices.Equal(a.asked, maps) {
				t.Errorf("memory was asked for %v, want %v", a.asked, maps)
			}
			a.producers(&w.stages[1], 1, maps)
			a.reduce(w, 1)
			if err := a.leave(); err != nil {
				t.Error(err)
			}
			compare(t, content(t, output), want)
		})
	}
}

func compare(t *testing.T, have, want map[string]string) {
	t.Helper()
	if !maps.Equal(have, want) {
		t.Errorf("the parts %v differ from those of the embedded run, %v", slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want)))
	}
}

// TestAnotherExecutor reads with a second executor what a first one wrote and left behind when its agent let it go.
func TestAnotherExecutor(t *testing.T) {
	input := text(t)
	output := filepath.Join(t.TempDir(), "out")
	w := plans(t, counts, input, output)
	w.stage(t)
	first := newAgent(t, opens(counts))
	if err := first.load(w.message()); err != nil {
		t.Fatal(err)
	}
	maps := first.startSplits(w)
	first.succeeded(len(maps))
	if err := first.leave(); err != nil {
		t.Fatal(err)
	}
	second := newAgent(t, opens(counts))
	second.memory, first.memory = first.memory, nil
	if err := second.load(w.message()); err != nil {
		t.Fatal(err)
	}
	second.producers(&w.stages[1], 7, maps)
	second.reduce(w, 7)
	if err := second.leave(); err != nil {
		t.Error(err)
	}
	compare(t, content(t, output), embedded(t, input))
}

// TestLost reads an output that nobody has.
func TestLost(t *testing.T) {
	w := plans(t, counts, text(t), filepath.Join(t.TempDir(), "out"))
	w.stage(t)
	a := newAgent(t, opens(counts))
	if err := a.load(w.message()); err != nil {
		t.Fatal(err)
	}
	a.producers(&w.stages[1], 1, []string{"nobody"})
	a.start("reduce", plan.Task{Stage: 1, Lo: 0, Hi: 3}, 1)
	e := a.ends(1)[0].Error
	if fault.Class(e.GetClass()) != fault.FetchFailed || !slices.Equal(e.GetLost(), []string{"nobody"}) {
		t.Errorf("the error is %v, want one that names the lost attempt", e)
	}
}

// TestLoadErrors loads what cannot be loaded. The executor says why and lives on.
func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	other := func(args []string) (*engine.Job, error) {
		job := engine.NewJob("counts")
		lines := engine.Filter(textio.Read(job, args[0]), func(string) bool { return true })
		csvio.Write(engine.Count(engine.FlatMap(lines, strings.FieldsSeq)), args[1])
		return job, nil
	}
	broken := func(args []string) (*engine.Job, error) { return nil, errors.New("no such flag") }
	panics := func(args []string) (*engine.Job, error) { panic("out of luck") }
	none := func(args []string) (*engine.Job, error) { return nil, nil }
	for name, c := range map[string]struct {
		open  Opener
		stage bool
		want  string
	}{
		"another graph": {opens(other), true, "operator 1 is Filter"},
		"error":         {opens(broken), true, "no such flag"},
		"panic":         {opens(panics), true, "panic: out of luck"},
		"neither":       {opens(none), true, "neither a job nor an error"},
		"no such plugin": {func(string) (func([]string) (*engine.Job, error), error) {
			return nil, fault.As(fault.Permanent, errors.New("not an ELF file"))
		}, true, "not an ELF"},
		"no staging": {opens(counts), false, "stag"},
	} {
		t.Run(name, func(t *testing.T) {
			w := plans(t, counts, text(t), filepath.Join(dir, strings.ReplaceAll(name, " ", "-")))
			if c.stage {
				w.stage(t)
			}
			a := newAgent(t, c.open)
			err := a.load(w.message())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("loading says %v, want %q", err, c.want)
			}
			if c.stage && fault.ClassOf(err) != fault.Permanent {
				t.Errorf("the class of %v is %v", err, fault.ClassOf(err))
			}
			if name == "panic" {
				framed, ok := errors.AsType[interface {
					error
					Frames() string
				}](err)
				if !ok || !strings.Contains(framed.Frames(), "serve_test.go") {
					t.Errorf("the frames of the job's code are missing in %v", err)
				}
			}
			if err := a.leave(); err != nil {
				t.Error(err)
			}
		})
	}
}

// gate lets a test hold up user code. It is a variable as the job's function has no other way to get at it.
type gate struct{ entered, leave chan struct{} }

func newGate() *gate { return &gate{make(chan struct{}, 1000), make(chan struct{})} }

// mapped is a job that maps numbers with f.
func mapped(t *testing.T, n int64, f func(*engine.Task, int64) error) (*work, func([]string) (*engine.Job, error)) {
	t.Helper()
	output := filepath.Join(t.TempDir(), "out")
	declare := func([]string) (*engine.Job, error) {
		job := engine.NewJob("mapped")
		textio.Write(engine.Process(engine.Range(job, 0, n), func(task *engine.Task, v int64, emit func(string)) error {
			return f(task, v)
		}), output)
		return job, nil
	}
	w := plans(t, declare)
	w.stage(t)
	return w, declare
}

// TestUserErrors runs code that fails in several ways: each ends its attempt alone.
func TestUserErrors(t *testing.T) {
	w, declare := mapped(t, 100, func(_ *engine.Task, v int64) error {
		switch v {
		case 3:
			return errors.New("three is too much")
		case 60:
			panic("sixty")
		}
		return nil
	})
	w.splits = []plan.Split{{First: 0, Count: 10}, {First: 55, Count: 10}, {First: 20, Count: 10}}
	a := newAgent(t, opens(declare))
	if err := a.load(w.message()); err != nil {
		t.Fatal(err)
	}
	a.startSplits(w)
	ends := a.ends(3)
	for i, want := range []string{"item 3: three is too much", "item 60: panic: sixty"} {
		e := ends[i].Error
		if fault.Class(e.GetClass()) != fault.User || !strings.Contains(e.GetMessage(), want) {
			t.Errorf("attempt %s ends with %v, want %q", ends[i].Attempt, e, want)
		}
	}
	if !strings.Contains(ends[1].Error.GetFrames(), "TestUserErrors") {
		t.Errorf("the frames are %q", ends[1].Error.GetFrames())
	}
	if ends[2].Error != nil {
		t.Errorf("the neighbour fails too: %v", ends[2].Error)
	}
	if err := a.leave(); err != nil {
		t.Error(err)
	}
}

// TestStop cancels an attempt that would run for long, and one that has ended.
func TestStop(t *testing.T) {
	g := newGate()
	w, declare := mapped(t, 1<<40, func(task *engine.Task, _ int64) error {
		select {
		case g.entered <- struct{}{}:
		default:
		}
		return nil
	})
	w.splits = []plan.Split{{Count: 1 << 40}}
	a := newAgent(t, opens(declare))
	if err := a.load(w.message()); err != nil {
		t.Fatal(err)
	}
	a.startSplits(w)
	<-g.entered
	stop := &api.AgentMessage{Message: &api.AgentMessage_Stop{Stop: &api.StopAttempt{Attempt: "map-0", Reason: "enough of it"}}}
	a.send(stop)
	e := a.ends(1)[0].Error
	if fault.Class(e.GetClass()) != fault.Cancelled || !strings.Contains(e.GetMessage(), "enough of it") {
		t.Errorf("the attempt ends with %v", e)
	}
	a.send(stop)
	a.start("late", plan.Task{Split: &plan.Split{Count: 10}}, 0)
	a.succeeded(1)
	if err := a.leave(); err != nil {
		t.Error(err)
	}
}

// TestAgentGone ends the connection while attempts run: one that watches its context, one that never pauses.
func TestAgentGone(t *testing.T) {
	g := newGate()
	w, declare := mapped(t, 1<<40, func(task *engine.Task, v int64) error {
		select {
		case g.entered <- struct{}{}:
		default:
		}
		if v == 0 {
			<-task.Context().Done()
			return context.Cause(task.Context())
		}
		return nil
	})
	w.splits = []plan.Split{{Count: 10}, {First: 10, Count: 1 << 39}}
	a := newAgent(t, opens(declare))
	if err := a.load(w.message()); err != nil {
		t.Fatal(err)
	}
	a.startSplits(w)
	<-g.entered
	<-g.entered
	if err := a.leave(); err != nil {
		t.Error(err)
	}
}

// TestStuck leaves behind a function that does not return, and says so.
func TestStuck(t *testing.T) {
	g := newGate()
	ended := make(chan struct{})
	w, declare := mapped(t, 1, func(*engine.Task, int64) error {
		g.entered <- struct{}{}
		<-g.leave
		close(ended)
		return nil
	})
	a := newAgent(t, opens(declare))
	if err := a.load(w.message()); err != nil {
		t.Fatal(err)
	}
	w.splits = []plan.Split{{Count: 1}}
	a.startSplits(w)
	<-g.entered
	err := a.leave()
	if err == nil || !strings.Contains(err.Error(), "map-0") || !strings.Contains(err.Error(), "left behind") {
		t.Errorf("the executor ends with %v", err)
	}
	close(g.leave)
	<-ended
}

// TestHang never returns from Job: the executor still hears that its agent has gone.
func TestHang(t *testing.T) {
	g := newGate()
	hang := func([]string) (*engine.Job, error) {
		g.entered <- struct{}{}
		<-g.leave
		return nil, nil
	}
	w := plans(t, counts, text(t), filepath.Join(t.TempDir(), "out"))
	a := newAgent(t, opens(hang))
	a.send(&api.AgentMessage{Message: &api.AgentMessage_Load{Load: w.message()}})
	<-g.entered
	if err := a.leave(); err != nil {
		t.Error(err)
	}
	close(g.leave)
}

// TestManyAttempts runs more attempts than cores, most of which wait.
func TestManyAttempts(t *testing.T) {
	const n = 300
	w, declare := mapped(t, n, func(*engine.Task, int64) error { return nil })
	w.splits = nil
	for i := range int64(n) {
		w.splits = append(w.splits, plan.Split{First: i, Count: 1})
	}
	a := newAgent(t, opens(declare))
	if err := a.load(w.message()); err != nil {
		t.Fatal(err)
	}
	a.startSplits(w)
	for _, r := range a.succeeded(n) {
		if r.Metrics.RowsIn != 1 || len(r.Parts) != 1 {
			t.Fatalf("an attempt has the result %+v", r)
		}
	}
	if err := a.leave(); err != nil {
		t.Error(err)
	}
}

// TestBadOrders gives orders that no agent gives. What concerns one attempt ends that alone, the rest ends the executor.
func TestBadOrders(t *testing.T) {
	w := plans(t, counts, text(t), filepath.Join(t.TempDir(), "out"))
	w.stage(t)
	t.Run("attempts", func(t *testing.T) {
		a := newAgent(t, opens(counts))
		if err := a.load(w.message()); err != nil {
			t.Fatal(err)
		}
		for i, task := range []plan.Task{{Stage: 9}, {Stage: 0}, {Stage: 1, Split: &w.splits[0]}, {Stage: 1, Hi: 4}} {
			a.start(fmt.Sprintf("bad-%d", i), task, 0)
			if e := a.ends(1)[0].Error; fault.Class(e.GetClass()) != fault.Permanent {
				t.Errorf("task %+v ends with %v", task, e)
			}
		}
		a.start("early", plan.Task{Stage: 1, Hi: 3}, 5)
		if e := a.ends(1)[0].Error; !strings.Contains(e.GetMessage(), "version 5") {
			t.Errorf("a task without producers ends with %v", e)
		}
		if err := a.leave(); err != nil {
			t.Error(err)
		}
	})
	foreign := w.message()
	foreign.Stages = append(foreign.Stages, &api.Stage{Id: 2, Root: 77})
	load := func(m *api.Load) *api.AgentMessage {
		return &api.AgentMessage{Message: &api.AgentMessage_Load{Load: m}}
	}
	for name, messages := range map[string][]*api.AgentMessage{
		"nothing":       {{}},
		"no job":        {{Message: &api.AgentMessage_Stop{Stop: &api.StopAttempt{Attempt: "x"}}}},
		"no graph":      {load(&api.Load{Job: "job"})},
		"foreign stage": {load(foreign)},
		"two jobs":      {load(w.message()), load(w.message())},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAgent(t, opens(counts))
			for _, m := range messages {
				a.send(m)
			}
			select {
			case err := <-a.served:
				if err == nil || !strings.Contains(err.Error(), "order of the agent") {
					t.Errorf("the executor ends with %v", err)
				}
			case <-time.After(patience):
				t.Error("the executor goes on")
			}
		})
	}
}

// TestProducers takes lists of producers on this worker and others; the last list of a stage counts.
func TestProducers(t *testing.T) {
	j := &job{producers: map[int]producers{}}
	for _, m := range []*api.Producers{
		{
			Stage: 1, Version: 1, Workers: []string{"w:1"}, Attempts: []string{"a", "b"}, Holders: []uint32{0, 0},
			Exchanges: []*api.ExchangeProducers{{Exchange: 3, Attempts: []uint32{0}}},
		},
		{
			Stage: 1, Version: 2, Workers: []string{"", "w:2"}, Attempts: []string{"a", "b", "c"}, Holders: []uint32{1, 0, 1},
			Exchanges: []*api.ExchangeProducers{{Exchange: 4, Attempts: []uint32{0, 1, 2}}, {Exchange: 7, Attempts: []uint32{1}}},
		},
	} {
		if err := j.setProducers(m); err != nil {
			t.Fatal(err)
		}
	}
	want := map[int][]shuffle.Producer{4: {{Attempt: "a", Worker: "w:2"}, {Attempt: "b"}, {Attempt: "c", Worker: "w:2"}}, 7: {{Attempt: "b"}}}
	if have := j.producers[1]; have.version != 2 || !reflect.DeepEqual(have.of, want) {
		t.Errorf("the producers are %+v, want version 2 of %+v", have, want)
	}
	for _, m := range []*api.Producers{
		{Attempts: []string{"a"}, Holders: []uint32{0}},
		{Attempts: []string{"a"}, Workers: []string{""}},
		{Exchanges: []*api.ExchangeProducers{{Attempts: []uint32{0}}}},
		{
			Attempts: []string{"a"}, Workers: []string{""}, Holders: []uint32{0},
			Exchanges: slices.Repeat([]*api.ExchangeProducers{{Attempts: make([]uint32, api.MaxProducers/2+1)}}, 2),
		},
	} {
		if err := j.setProducers(m); err == nil {
			t.Errorf("the list %.200v is taken", m)
		}
	}
}

// TestDiskFull says where to make room, and leaves it to others to try elsewhere.
func TestDiskFull(t *testing.T) {
	j := &job{description: &description{dir: "/somewhere"}}
	err := j.explain(fmt.Errorf("spill: %w", syscall.ENOSPC))
	if fault.ClassOf(err) != fault.Retryable || !strings.Contains(err.Error(), "free space for intermediate data in /somewhere") {
		t.Errorf("a full disk is %v of class %v", err, fault.ClassOf(err))
	}
	if other := errors.New("other"); j.explain(other) != other {
		t.Error("another error is changed")
	}
}

// TestLimits changes the memory limit: the garbage collector has it at once.
func TestLimits(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	a := newAgent(t, opens(counts))
	w := plans(t, counts, text(t), filepath.Join(t.TempDir(), "out"))
	w.stage(t)
	m := w.message()
	m.Limits.MemoryBytes = 300 << 20
	if err := a.load(m); err != nil {
		t.Fatal(err)
	}
	if have := debug.SetMemoryLimit(-1); have != 300<<20 {
		t.Errorf("the limit is %d", have)
	}
	a.send(&api.AgentMessage{Message: &api.AgentMessage_Limits{Limits: &api.SetLimits{MemoryBytes: 200 << 20}}})
	a.startSplits(w) // in order, so that the limit is set when they end
	a.succeeded(len(w.splits))
	if have := debug.SetMemoryLimit(-1); have != 200<<20 {
		t.Errorf("the limit is %d", have)
	}
	if err := a.leave(); err != nil {
		t.Error(err)
	}
}
