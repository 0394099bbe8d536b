package state

import (
	"fmt"
	"strings"
	"testing"
)

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

// TestEndlessLossesEndTheJob loses a task's worker whenever it has committed.
func TestEndlessLossesEndTheJob(t *testing.T) {
	m, _ := chain(t)
	for n := range 2 * maxStageAttempts {
		o, err := m.Apply(Register{Worker: "w1", Incarnation: fmt.Sprint(n), Address: "host:1"})
		if err != nil {
			t.Fatal(err)
		}
		j := m.Job("a")
		if j.Status.Ended() {
			want := "the output of stage 0, task 0 was lost 100 times, the last time: worker w1 has started again"
			if n != maxStageAttempts || j.Err() == nil || j.Err().Error() != want {
				t.Errorf("after %d losses: %v", n, j.Err())
			}
			return
		}
		id := AttemptID{Job: "a", StageAttempt: j.Stages[0].Task(0).StageAttempt, Term: 1, Number: uint64(n)}
		if _, err := m.Apply(Commit{Attempt: id, Result: fittingResult(j, id, nil), Worker: "w1", Epoch: o.Worker.Epoch}); err != nil {
			t.Fatal(err)
		}
	}
	t.Error("the job goes on for ever")
}

// TestEndlessLossesBehindAJoinEndTheJob loses the two tasks of a join in turn: neither as often as their reader begins anew.
func TestEndlessLossesBehindAJoinEndTheJob(t *testing.T) {
	m := New()
	apply := func(c Command) Outcome {
		t.Helper()
		o, err := m.Apply(c)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	g, splits := parseGraph(t, "read 1\nshuffle 2 0\nread 1\nshuffle 2 2\nmeet 1 3\nrow 1 4\nwrite 5")
	apply(Submit{ID: "a", Graph: g, Splits: splits})
	apply(Register{Worker: "w1", Incarnation: "first", Address: "host:1"})
	holders := []Holder{{}, {"w1", 1}} // by task of the join
	for n := range uint64(4 * maxStageAttempts) {
		worker := fmt.Sprintf("w%d", n%2)
		holders[n%2] = Holder{worker, apply(Register{Worker: worker, Incarnation: fmt.Sprint(n), Address: "host:1"}).Worker.Epoch}
		j := m.Job("a")
		if j.Status.Ended() {
			if want := "what stage 3 reads was lost 100 times, the last time: worker " + worker + " has started again"; j.Err().Error() != want {
				t.Errorf("after %d losses: %v", n, j.Err())
			}
			return
		}
		for task := firstRunnable(j); j.Duty == DutyPlan || task != nil && task.Stage < 3; task = firstRunnable(j) {
			if j.Duty == DutyPlan {
				j = apply(nextPlan(t, j)).Job
				continue
			}
			id := AttemptID{Job: "a", Stage: task.Stage, StageAttempt: task.StageAttempt, Task: task.Index, Term: 1, Number: n}
			c := Commit{Attempt: id, Result: fittingResult(j, id, nil)}
			if task.Stage < 2 {
				c.Result = fittingResult(j, id, []int64{5_000_000, 5_000_000})
			} else {
				c.Worker, c.Epoch = holders[task.Index].Worker, holders[task.Index].Epoch
			}
			j = apply(c).Job
		}
	}
	t.Error("the job goes on for ever")
}
