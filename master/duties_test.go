package master

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/master/replica"
	"fletch/master/state"
	"fletch/test/fakeworker"
)

// TestOversizedEnds has attempts end in a way that no entry of the log takes.
func TestOversizedEnds(t *testing.T) {
	huge := strings.Repeat("x", 50<<20)
	for name, test := range map[string]struct {
		end  *api.AttemptEnded
		want string
	}{
		"a result": {&api.AttemptEnded{Result: &api.Result{Counters: map[string]int64{huge: 1}}}, "too large"},
		"an error": {&api.AttemptEnded{Error: &api.Error{Class: uint32(fault.Permanent), Message: huge, Lost: make([]string, 1<<20)}}, "xxx ..."},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1)
			c.worker(&fakeworker.Worker{ID: "w1", Slots: 1, Attempt: func(_ context.Context, _ *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
				end := proto.CloneOf(test.end)
				end.Attempt = start.GetAttempt()
				return end
			}})
			c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(t.TempDir(), "out"), 10)})
			if j := c.wait("job-1"); j.GetState() != "failed" || !strings.Contains(j.GetError(), test.want) {
				t.Errorf("the job is %s: %.200s", j.GetState(), j.GetError())
			}
		})
	}
}

// TestOversizedPlan submits a job that fits into an entry of the log, and whose plan does not.
func TestOversizedPlan(t *testing.T) {
	c := newCluster(t, 1)
	l := c.leader().master.leading.Load()
	const entry, count = 48 << 20, 50_000
	var splits []plan.Split
	for i := range count {
		path := fmt.Sprintf("/%0*d", entry/count-26, i)
		splits = append(splits, plan.Split{Bytes: 1 << 20, Files: []plan.FileRange{{Path: path, Length: 1 << 20, Size: 1 << 20}}})
	}
	graph, err := twoStages(filepath.Join(t.TempDir(), "out"), 10).Plan()
	if err != nil {
		t.Fatal(err)
	}
	graph.Nodes[0].Source = &plan.Input{Patterns: []string{"/"}}
	submit := state.Submit{ID: "job-1", Graph: graph, Splits: map[int][]plan.Split{0: splits}, At: time.Now()}
	if err := l.apply(t.Context(), submit); err != nil {
		t.Fatal(err)
	}
	if j := c.wait("job-1"); j.GetState() != "failed" || !strings.Contains(j.GetError(), "can't go on: the command is too large") {
		t.Errorf("the job is %s: %s", j.GetState(), j.GetError())
	}
}

// TestCancelDuringADuty cancels a job whose outputs may be about to be staged: they are let go of after that.
func TestCancelDuringADuty(t *testing.T) {
	c := newCluster(t, 1)
	l := c.leader().master.leading.Load()
	var second atomic.Int32
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: hangs(&second)})
	dir := t.TempDir()
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(dir, "out"), 10)})
	eventually(t, "the second stage runs", func() bool { return second.Load() > 0 })
	staged := func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	var paid *job
	onLoop(t, l, func() {
		paid = l.jobs["job-1"]
		paid.paying = true
	})
	if _, err := c.client().CancelJob(t.Context(), &api.CancelJobRequest{Id: "job-1"}); err != nil {
		t.Fatal(err)
	}
	onLoop(t, l, func() {
		if l.jobs["job-1"] != paid || staged() != 1 {
			t.Error("the job was let go of before its duty was done")
		}
	})
	onLoop(t, l, func() { l.paid(paid, paid.state, replica.Outcome{}) })
	eventually(t, "nothing of the output is left", func() bool { return staged() == 0 })
}

// TestCancelDuringPublish cancels a job whose commit is decided: it comes too late.
func TestCancelDuringPublish(t *testing.T) {
	c := newCluster(t, 1)
	l := c.leader().master.leading.Load()
	output := filepath.Join(t.TempDir(), "out")
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(output, 10)})
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: succeed})
	eventually(t, "the commit is decided", func() (decided bool) {
		l.replica.Read(func(s *state.Machine) { decided = s.Job("job-1").Decided })
		return decided
	})
	if _, err := c.client().CancelJob(t.Context(), &api.CancelJobRequest{Id: "job-1"}); err == nil || fault.ClassOf(err) != fault.Fenced {
		t.Errorf("cancel: %v", err)
	}
	if j := c.wait("job-1"); j.GetState() != "succeeded" || lines(t, output) != 4 {
		t.Errorf("the job is %s: %s", j.GetState(), j.GetError())
	}
}
