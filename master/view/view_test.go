package view

import (
	"slices"
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

// TestSkippedStagesAreLeftOut plans a job whose second stage is not needed, and whose source is read by two others.
func TestSkippedStagesAreLeftOut(t *testing.T) {
	source := func(id int) plan.Node {
		return plan.Node{ID: id, Kind: plan.Source, Op: "textio.Read", Source: &plan.Input{Patterns: []string{"in"}}}
	}
	exchange := func(id, in int) plan.Node {
		return plan.Node{ID: id, Kind: plan.Exchange, Op: "Shuffle", Inputs: []int{in}, Exchange: &plan.Shuffle{Partitions: 1}}
	}
	graph := &plan.Graph{Job: "join", Nodes: []plan.Node{
		source(0), exchange(1, 0), source(2), exchange(3, 2),
		{ID: 4, Kind: plan.Meet, Op: "Join", Inputs: []int{1, 3}, Lookup: []int{1}}, exchange(5, 4),
		{ID: 6, Kind: plan.Sink, Op: "Write", Inputs: []int{5}, Sink: &plan.Location{Path: "/out"}},
	}}
	split := func(n int64) []plan.Split {
		return []plan.Split{{Files: []plan.FileRange{{Path: "in", Length: n, Size: n}}, Bytes: n}}
	}
	m := state.New()
	apply := func(c state.Command) *state.Job {
		t.Helper()
		o, err := m.Apply(c)
		if err != nil {
			t.Fatal(err)
		}
		return o.Job
	}
	next := func(j *state.Job) state.Plan {
		t.Helper()
		tasks, skip, err := plan.Next(j.Graph, j.Plan(), j.Facts())
		if err != nil {
			t.Fatal(err)
		}
		return state.Plan{Job: j.ID, Tasks: tasks, Skip: skip}
	}
	j := apply(state.Submit{ID: "a", Graph: graph, Splits: map[int][]plan.Split{0: split(100), 2: split(10)}})
	apply(next(j))
	apply(state.Commit{Attempt: state.AttemptID{Job: "a"}, Result: plan.Result{Shuffles: []plan.ShuffleOutput{{Exchange: 3, Bytes: []int64{5}}}}})
	out := Job(apply(next(m.Job("a"))), nil, time.Now())
	var names []string
	for _, s := range out.Stages {
		names = append(names, s.Name)
	}
	want := []string{"textio.Read → Shuffle", "textio.Read → Shuffle → Join → Shuffle", "Shuffle → Write"}
	if !slices.Equal(names, want) || out.InputBytes != 110 {
		t.Errorf("stages %q of %d bytes, want %q", names, out.InputBytes, want)
	}
}
