package plan

import (
	"fmt"
	"strings"
	"testing"
)

func TestDiffNamesFirstOperator(t *testing.T) {
	tests := []struct {
		name   string
		change func(g *Graph)
		want   string // empty: no difference
	}{
		{"paths and sites", func(g *Graph) {
			g.Nodes[0].Source.Patterns[0], g.Nodes[3].Sink.Path, g.Nodes[1].Site = "/elsewhere/in", "/elsewhere/x", "/b/job.go:9"
		}, ""},
		{"job", func(g *Graph) { g.Job = "other" }, "the job is named other, it was submitted as test"},
		{"operator", func(g *Graph) { g.Nodes[1].Op = "Filter" }, "operator 1 is Filter (jobs/job.go:1), it was submitted as Map (jobs/job.go:1): another operator"},
		{"type", func(g *Graph) { g.Nodes[1].Type = "int64" }, "type int64 instead of string"},
		{"inputs", func(g *Graph) { g.Nodes[4].Inputs = []int{1} }, "operator 4 is csvio.Write (jobs/job.go:3), it was submitted as csvio.Write (jobs/job.go:3): inputs [1] instead of [2]"},
		{"number of paths", func(g *Graph) { g.Nodes[0].Source.Patterns = []string{"a", "b"} }, "operator 0 is"},
		{"shuffle", func(g *Graph) { g.Nodes[2].Exchange.Partitions = 9 }, `shuffle {"partitioning":0,"partitions":9,"combine":true} instead of {"partitioning":0,"combine":true}`},
		{"suffix", func(g *Graph) { g.Nodes[3].Sink.Suffix = ".txt" }, "operator 3 is"},
		{"fewer", func(g *Graph) { g.Nodes = g.Nodes[:4] }, "operator 4 is missing, it was submitted as csvio.Write (jobs/job.go:3)"},
		{"more", func(g *Graph) { g.Nodes = append(g.Nodes, Node{ID: 5, Op: "Map"}) }, "operator 5 is Map, it was not submitted"},
		{"two", func(g *Graph) { g.Nodes[3].Op, g.Nodes[1].Op = "x", "Filter" }, "operator 1 is Filter"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, have := twoSinks(t), twoSinks(t)
			test.change(have)
			err := Diff(want, have)
			if (err == nil) != (want.Fingerprint() == have.Fingerprint()) {
				t.Errorf("Diff() = %v, but the fingerprints are %s and %s", err, want.Fingerprint(), have.Fingerprint())
			}
			if text := fmt.Sprint(err); err == nil && test.want != "" || err != nil && (test.want == "" || !strings.Contains(text, test.want)) {
				t.Errorf("Diff() = %v, want %q in it", err, test.want)
			}
		})
	}
}
