package state

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

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

// TestHeavyGraphsAreOutlined ends a job whose graph is large: what it was made of stays, the long texts go.
func TestHeavyGraphsAreOutlined(t *testing.T) {
	m := New()
	g, splits := parseGraph(t, "read 3000\nmap 0\nwrite 1")
	g.Nodes[1].Type = strings.Repeat("x", 60_000)
	g.Nodes[0].Source.Patterns = []string{strings.Repeat("y", 4000)}
	for len(g.Nodes) < 200 {
		n := g.Nodes[1]
		n.ID, n.Inputs = len(g.Nodes), []int{0}
		g.Nodes = append(g.Nodes, n)
	}
	before, err := m.Apply(Submit{ID: "a", Graph: g, Splits: splits})
	if err != nil {
		t.Fatal(err)
	}
	after, err := m.Apply(Cancel{Job: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if w := after.Job.weight(); w > 200_000 {
		t.Errorf("it weighs %d bytes", w)
	}
	n := after.Job.Graph.Nodes
	if len(n) != 200 || n[2].Sink.Path != g.Nodes[2].Sink.Path || n[1].Op != "map" || n[1].Type != "" || len(n[0].Source.Patterns) > 0 {
		t.Errorf("the outline is %+v", n[:3])
	}
	if g.Nodes[1].Type == "" || len(before.Job.Graph.Nodes[0].Source.Patterns) != 1 {
		t.Error("the job's own graph has changed")
	}
	if len(after.Job.Facts().Splits[0]) > 0 || after.Job.Stages[0].InputBytes != 24_000 {
		t.Errorf("%d splits stay, of %d bytes", len(after.Job.Facts().Splits[0]), after.Job.Stages[0].InputBytes)
	}
}

// TestHistoryGoesByTheEnd ends a job last that was submitted first: it is the latest in the history.
func TestHistoryGoesByTheEnd(t *testing.T) {
	m := New()
	add := func(c Command) {
		if _, err := m.Apply(c); err != nil {
			t.Fatal(err)
		}
	}
	g, splits := parseGraph(t, "read 1\nwrite 0")
	plugin := strings.Repeat("0", 64)
	for i := range maxHistory + 1 {
		add(Submit{ID: fmt.Sprint(i), Graph: g, Splits: splits, Plugin: plugin})
	}
	for i := range maxHistory {
		add(Cancel{Job: fmt.Sprint(i + 1)})
	}
	if !m.Plugins()[plugin] {
		t.Error("the plugin of the last job is not needed")
	}
	add(Cancel{Job: "0"})
	if m.Job("0") == nil || m.Job("1") != nil || m.Job("2") == nil || len(m.Plugins()) > 0 {
		t.Errorf("of the jobs 0, 1 and 2 are known %v %v %v", m.Job("0") != nil, m.Job("1") != nil, m.Job("2") != nil)
	}
}
