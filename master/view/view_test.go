package view

import (
	"testing"
	"time"

	"fletch/engine/plan"
	"fletch/master/state"
	"fletch/report"
)

// TestJob follows a job of one stage that reads a file of 100 bytes and writes one part.
func TestJob(t *testing.T) {
	submitted := time.Unix(1000, 0)
	at := func(seconds int) time.Time { return submitted.Add(time.Duration(seconds) * time.Second) }
	graph := &plan.Graph{Job: "copy", Nodes: []plan.Node{
		{ID: 0, Kind: plan.Source, Op: "textio.Read", Site: "a.go:1", Type: "value: utf8", Source: &plan.Input{Patterns: []string{"in"}}},
		{ID: 1, Kind: plan.Sink, Op: "textio.Write", Site: "a.go:2", Type: "value: utf8", Inputs: []int{0}, Sink: &plan.Location{Path: "/out", Suffix: ".txt"}},
	}}
	split := plan.Split{Files: []plan.FileRange{{Path: "in", Length: 100, Size: 100}}, Bytes: 100}
	id := state.AttemptID{Job: "a", Term: 1, Number: 1}
	m := state.New()
	apply := func(c state.Command) *state.Job {
		t.Helper()
		o, err := m.Apply(c)
		if err != nil {
			t.Fatal(err)
		}
		return o.Job
	}
	apply(state.Submit{ID: "a", Graph: graph, Splits: map[int][]plan.Split{0: {split}}, At: submitted})
	j := apply(state.Plan{Job: "a", Tasks: []plan.Task{{Split: &split}}, At: at(1)})

	running := Job(j, []Attempt{{Stage: 0, Rows: 3, Bytes: 40}}, at(5))
	s := running.Stages[0]
	if running.State != report.Running || running.Seconds != 5 || running.InputBytes != 100 ||
		s.Name != "textio.Read → textio.Write" || s.Tasks != 1 || s.Running != 1 || s.Attempts != 1 || s.Completed != 0 ||
		s.Metrics.RowsIn != 3 || s.Metrics.BytesIn != 40 || s.ExpectedBytes != 100 || s.Seconds != 4 {
		t.Errorf("while it runs: %+v", running)
	}

	apply(state.Commit{Attempt: id, At: at(6), Result: plan.Result{
		Parts: []plan.Part{{Sink: 1, Name: "p", Rows: 7, Bytes: 90}}, Counters: map[string]int64{"seen": 7}, Metrics: plan.Metrics{RowsIn: 7, BytesIn: 100},
	}})
	apply(state.Publish{Job: "a", At: at(7)})
	ended := Job(apply(state.Published{Job: "a", At: at(8)}), nil, at(100))
	s = ended.Stages[0]
	if ended.State != report.Succeeded || ended.Seconds != 8 || ended.Counters["seen"] != 7 || len(ended.Outputs) != 1 ||
		ended.Outputs[0] != (report.Output{Path: "/out", Parts: 1, Rows: 7, Bytes: 90}) || s.Completed != 1 || s.Running != 0 || s.Metrics.RowsIn != 7 || s.Seconds != 5 {
		t.Errorf("after its end: %+v", ended)
	}
}

func TestFailedJob(t *testing.T) {
	graph := &plan.Graph{Job: "empty", Nodes: []plan.Node{
		{ID: 0, Kind: plan.Source, Op: "Range", Site: "a.go:1", Type: "value: int64", Source: &plan.Input{Items: 1}},
		{ID: 1, Kind: plan.Sink, Op: "Write", Site: "a.go:2", Type: "value: int64", Inputs: []int{0}, Sink: &plan.Location{Path: "/out", Suffix: ".txt"}},
	}}
	m := state.New()
	if _, err := m.Apply(state.Submit{ID: "a", Graph: graph}); err != nil {
		t.Fatal(err)
	}
	o, err := m.Apply(state.Cancel{Job: "a", Reason: "not wanted"})
	if err != nil {
		t.Fatal(err)
	}
	if j := Job(o.Job, nil, time.Now()); j.State != report.Cancelled || j.Error != "not wanted" || len(j.Outputs) != 0 {
		t.Errorf("%+v", j)
	}
}
