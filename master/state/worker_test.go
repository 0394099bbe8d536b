package state

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fletch/fault"
)

// fleet drives one machine with a job on workers that come and go.
type fleet struct {
	m      *Machine
	now    time.Time
	number uint64
}

// draw returns a command as workers and leaders send them; some are of epochs and attempts that are over.
func (f *fleet) draw(t *rapid.T) Command {
	f.now = f.now.Add(time.Second)
	worker := rapid.SampledFrom([]string{"w1", "w2", "w3"}).Draw(t, "worker")
	w, _ := f.m.Worker(worker)
	epoch := w.Epoch
	if rapid.IntRange(0, 9).Draw(t, "late") == 0 && epoch > 0 {
		epoch--
	}
	switch j := f.m.Job("a"); rapid.SampledFrom([]string{"commit", "commit", "commit", "commit", "duty", "duty", "fail", "register", "lose"}).Draw(t, "kind") {
	case "commit":
		if task := firstRunnable(j); task != nil && !j.Status.Ended() {
			f.number++
			id := AttemptID{Job: "a", Stage: task.Stage, StageAttempt: task.StageAttempt, Task: task.Index, Term: 1, Number: f.number}
			return Commit{Attempt: id, Result: fittingResult(j, id, nil), Worker: worker, Epoch: epoch, At: f.now}
		}
	case "fail":
		if task := firstRunnable(j); task != nil && !j.Status.Ended() {
			f.number++
			c := Fail{
				Attempt: AttemptID{Job: "a", Stage: task.Stage, StageAttempt: task.StageAttempt, Task: task.Index, Term: 1, Number: f.number},
				Worker:  worker, Class: fault.FetchFailed, Message: "gone", At: f.now,
			}
			for _, p := range j.Producers(task.Stage) {
				c.Lost = append(c.Lost, p.Attempt)
				break
			}
			return c
		}
	case "lose":
		return Lose{Worker: worker, Epoch: epoch, At: f.now}
	case "register":
		incarnation := rapid.SampledFrom([]string{"one", "two"}).Draw(t, "incarnation")
		return Register{Worker: worker, Incarnation: incarnation, Address: "host:1", At: f.now}
	}
	return f.duty(t)
}

func (f *fleet) duty(t *rapid.T) Command {
	switch j := f.m.Job("a"); j.Duty {
	case DutyPlan:
		return Plan{Job: "a", Tasks: nextTasks(t, j), At: f.now}
	case DutyCommit:
		return Publish{Job: "a", At: f.now}
	default:
		return Register{Worker: "w1", Incarnation: "one", Address: "host:1", At: f.now}
	}
}

// check holds the job against what the workers hold.
func (f *fleet) check(t *rapid.T) {
	j := f.m.Job("a")
	if j.Status.Ended() || j.Decided {
		return
	}
	for i, s := range j.Stages {
		if !j.Runnable(i) || s.Complete() {
			continue
		}
		for _, p := range j.Producers(i) {
			task := j.task(p.Attempt)
			if w, _ := f.m.Worker(p.Worker); w.Epoch != task.Holder.Epoch {
				t.Fatalf("stage %d is to read %s, which %+v does not hold any more", i, p.Attempt, w)
			}
		}
	}
	if j.Duty == NoDuty && firstRunnable(j) == nil {
		t.Fatalf("nothing can bring the job on: %s", fullText(j))
	}
}

// TestWorkersComeAndGo checks that no task is told to read what is gone, that the job can always go on, and that a
// machine that is restored from a snapshot goes on like the one that it was made of.
func TestWorkersComeAndGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &fleet{m: New(), now: time.Unix(1, 0).UTC()}
		g, splits := parseGraph(t, rapid.SampledFrom(shapes).Draw(t, "shape"))
		if _, err := f.m.Apply(Submit{ID: "a", Graph: g, Splits: splits, User: "me", Plugin: strings.Repeat("0", 64), Args: []string{"x"}, Settings: Settings{MaxLost: maxFailures}}); err != nil {
			t.Fatal(err)
		}
		var restored *Machine
		restoreAt := rapid.IntRange(0, 60).Draw(t, "restore at")
		for i := range rapid.IntRange(1, 120).Draw(t, "steps") {
			if i == restoreAt {
				restored = copyOf(t, f.m)
			}
			c := f.draw(t)
			o, err := f.m.Apply(c)
			if _, err2 := f.m.Apply(c); fmt.Sprint(err) != fmt.Sprint(err2) {
				t.Fatalf("%#v: %v, applied again: %v", c, err, err2)
			}
			f.check(t)
			if restored == nil {
				continue
			}
			if o2, err2 := restored.Apply(c); fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(o, o2) {
				t.Fatalf("%#v: %v, on the restored machine: %v\n%+v\n%+v", c, err, err2, o, o2)
			}
		}
		if restored != nil && !reflect.DeepEqual(f.m.Snapshot(), restored.Snapshot()) {
			t.Fatal("the restored machine holds something else in the end")
		}
	})
}

// copyOf takes a machine apart and puts it together again.
func copyOf(t *rapid.T, m *Machine) *Machine {
	s := m.Snapshot()
	for i, j := range s.Jobs {
		loaded, err := Load(j.Save())
		if err != nil {
			t.Fatal(err)
		}
		s.Jobs[i] = loaded
	}
	restored, err := Restore(s)
	if err != nil {
		t.Fatal(err)
	}
	return restored
}

func TestEpochs(t *testing.T) {
	m := New()
	register := func(incarnation string) Register {
		return Register{Worker: "w1", Incarnation: incarnation, Address: "host:1"}
	}
	for _, step := range []struct {
		command Command
		epoch   uint64
		lost    bool
		err     string
	}{
		{register("one"), 1, false, ""},
		{register("one"), 1, false, ""},
		{register("two"), 2, false, ""},
		{Lose{Worker: "w1", Epoch: 1}, 2, false, "worker w1 is in epoch 2, not in 1"},
		{Lose{Worker: "w1", Epoch: 2}, 3, true, ""},
		{Lose{Worker: "w1", Epoch: 2}, 3, true, ""},
		{register("two"), 3, false, ""},
		{Lose{Worker: "w2", Epoch: 1}, 3, false, "worker w2 is not known"},
		{Register{Worker: "../w1", Incarnation: "x", Address: "y"}, 3, false, "worker ID"},
		{Register{Worker: "w1", Incarnation: "", Address: "y"}, 3, false, "takes 1 to"},
	} {
		_, err := m.Apply(step.command)
		w, _ := m.Worker("w1")
		if w.Epoch != step.epoch || w.Lost != step.lost || (err == nil) != (step.err == "") || err != nil && !strings.Contains(err.Error(), step.err) {
			t.Errorf("%#v: %+v, %v", step.command, w, err)
		}
	}
}

// TestHistoryIsBounded checks that old jobs are forgotten, the oldest first, and active ones never.
func TestHistoryIsBounded(t *testing.T) {
	m := New()
	submit := func(i int) {
		g, splits := parseGraph(t, "read 1\nwrite 0")
		if _, err := m.Apply(Submit{ID: fmt.Sprintf("job-%d", i), Graph: g, Splits: splits, User: "me", At: time.Unix(int64(i), 0)}); err != nil {
			t.Fatal(err)
		}
	}
	submit(0)
	for i := 1; i <= maxHistory+50; i++ {
		submit(i)
		if _, err := m.Apply(Cancel{Job: fmt.Sprintf("job-%d", i), Reason: "no", User: "me", At: time.Unix(int64(i), 0)}); err != nil {
			t.Fatal(err)
		}
	}
	jobs := m.Jobs()
	if len(jobs) != maxHistory+1 || jobs[0].ID != "job-0" || jobs[1].ID != "job-51" || m.Job("job-50") != nil {
		t.Errorf("%d jobs are kept, the first are %s and %s", len(jobs), jobs[0].ID, jobs[1].ID)
	}
	if audit := m.Audit(); len(audit) != maxAudit || audit[maxAudit-1].Action != "cancel" || audit[maxAudit-1].Subject != jobs[maxHistory].ID {
		t.Errorf("%d entries, the last is %+v", len(audit), audit[len(audit)-1])
	}
}

// TestHistoryIsBoundedInBytes checks that large jobs are forgotten sooner.
func TestHistoryIsBoundedInBytes(t *testing.T) {
	m := New()
	for i := range 100 {
		g, splits := parseGraph(t, "read 1\nwrite 0")
		id := fmt.Sprintf("job-%d", i)
		if _, err := m.Apply(Submit{ID: id, Graph: g, Splits: splits, Args: []string{strings.Repeat("x", 1<<20)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Apply(Cancel{Job: id, Reason: "no"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(m.Jobs()); n < 60 || n > maxHistoryBytes>>20 {
		t.Errorf("%d jobs of 1 MiB each are kept", n)
	}
}

func TestOversizedJobsAreRefused(t *testing.T) {
	g, splits := parseGraph(t, "read 1\nwrite 0")
	_, err := New().Apply(Submit{ID: "a", Graph: g, Splits: splits, Args: []string{strings.Repeat("x", maxArgs), "y"}})
	if err == nil || !strings.Contains(err.Error(), "1048577 bytes") || fault.ClassOf(err) != fault.Permanent {
		t.Errorf("arguments: %v", err)
	}
	for len(g.Nodes) <= 10_000 {
		g.Nodes = append(g.Nodes, g.Nodes[0])
	}
	if _, err := New().Apply(Submit{ID: "a", Graph: g, Splits: splits}); err == nil || !strings.Contains(err.Error(), "10001 operators") {
		t.Errorf("graph: %v", err)
	}
}

// TestLostWorkersAreForgotten checks that a worker that was forgotten comes back in an epoch that nobody had.
func TestLostWorkersAreForgotten(t *testing.T) {
	m := New()
	register := func(id string) error {
		_, err := m.Apply(Register{Worker: id, Incarnation: "one", Address: "host:1"})
		return err
	}
	for i := range maxWorkers {
		if err := register(fmt.Sprintf("w%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := register("one-more"); err == nil || !strings.Contains(err.Error(), "10000 workers") {
		t.Errorf("one more: %v", err)
	}
	if _, err := m.Apply(Lose{Worker: "w7", Epoch: 8}); err != nil {
		t.Fatal(err)
	}
	if err := register("one-more"); err != nil {
		t.Error(err)
	}
	if _, known := m.Worker("w7"); known {
		t.Error("w7 is still known")
	}
	if w, _ := m.Worker("one-more"); w.Epoch != maxWorkers+2 {
		t.Errorf("its epoch is %d", w.Epoch)
	}
}
