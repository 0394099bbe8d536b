package plan

import (
	"strings"
	"testing"
)

// TestValidateStructure breaks what the scripts' language can't express, one thing at a time.
func TestValidateStructure(t *testing.T) {
	long := strings.Repeat("x", maxType+1)
	tests := []struct {
		name  string
		spoil func(g *Graph)
		want  string
	}{
		{"id", func(g *Graph) { g.Nodes[1].ID = 7 }, "Map (jobs/job.go:1): its ID is 7 at position 1"},
		{"later input", func(g *Graph) { g.Nodes[1].Inputs = []int{1} }, "Map (jobs/job.go:1): its input 1 does not stand before it"},
		{"negative input", func(g *Graph) { g.Nodes[1].Inputs = []int{-1} }, "Map (jobs/job.go:1): its input -1 does not stand before it"},
		{"reads a sink", func(g *Graph) { g.Nodes[4].Inputs = []int{3} }, "csvio.Write (jobs/job.go:3): its input 3 is a sink, which has no output"},
		{"source with input", func(g *Graph) { g.Nodes[0].Inputs = []int{0} }, "a source has no inputs, this one has 1"},
		{"narrow without", func(g *Graph) { g.Nodes[1].Inputs = nil }, "Map (jobs/job.go:1): it has no input"},
		{"exchange without", func(g *Graph) { g.Nodes[2].Inputs = nil }, "Reduce (jobs/job.go:1): it has no input"},
		{"sink with two", func(g *Graph) { g.Nodes[3].Inputs = []int{0, 1} }, "a sink has one input, this one has 2"},
		{"kind", func(g *Graph) { g.Nodes[1].Kind = 5 }, "Map (jobs/job.go:1): unknown kind 5"},
		{"source undescribed", func(g *Graph) { g.Nodes[0].Source = nil }, "a source, and only a source, says what it reads"},
		{"map described", func(g *Graph) { g.Nodes[1].Exchange = &Shuffle{} }, "an exchange, and only an exchange, says how it partitions"},
		{"sink undescribed", func(g *Graph) { g.Nodes[3].Sink = nil }, "a sink, and only a sink, says where it writes"},
		{"both inputs", func(g *Graph) { g.Nodes[0].Source.Items = 1 }, "it reads files and items at once"},
		{"partitioning", func(g *Graph) { g.Nodes[2].Exchange.Partitioning = 4 }, "Reduce (jobs/job.go:1): unknown partitioning 4"},
		{"side of itself", func(g *Graph) { g.Nodes[3].Sides = []int{3} }, "csvio.Write (jobs/job.go:2): its side 3 does not stand before it"},
		{"negative side", func(g *Graph) { g.Nodes[3].Sides = []int{-1} }, "its side -1 does not stand before it"},
		{"repeated side", func(g *Graph) { g.Nodes[3].Sides = []int{2, 2} }, "its side 2 does not stand before it, in increasing order"},
		{"side of rows", func(g *Graph) { g.Nodes[3].Sides = []int{1} }, "csvio.Write (jobs/job.go:2): its side 1 is no exchange"},
		{"source with side", func(g *Graph) { g.Nodes[4] = Node{ID: 4, Op: "x", Source: &Input{}, Sides: []int{2}} }, "x: it takes no records one by one"},
		{"sides", func(g *Graph) { g.Nodes[3].Sides = make([]int, maxSides+1) }, "the operators read 1001 datasets as a whole, more than 1000"},
		{"one meets", func(g *Graph) { g.Nodes[4] = Node{ID: 4, Op: "x", Kind: Meet, Inputs: []int{2}} }, "x: two inputs meet, this one has 1"},
		{"meets itself", func(g *Graph) { g.Nodes[4] = Node{ID: 4, Op: "x", Kind: Meet, Inputs: []int{2, 2}} }, "meet, and are read by others too"},
		{"meets rows", func(g *Graph) { g.Nodes[4] = Node{ID: 4, Op: "x", Kind: Meet, Inputs: []int{1, 2}} }, "meet, and one of them is no exchange"},
		{"suffix", func(g *Graph) { g.Nodes[3].Sink.Suffix = "/x" }, `"/x" is no suffix`},
		{"no path", func(g *Graph) { g.Nodes[3].Sink.Path = "" }, "the path to write is empty"},
		{"no pattern", func(g *Graph) { g.Nodes[0].Source.Patterns[0] = "" }, "the path to read is empty"},
		{"no name", func(g *Graph) { g.Job = "" }, "job: the name is empty"},
		{"no operator", func(g *Graph) { g.Nodes[1].Op = "" }, "operator 1: the operator's name is empty"},
		{"long operator", func(g *Graph) { g.Nodes[1].Op = long }, "operator 1: the operator's name has 65537 bytes, more than 256"},
		{"long site", func(g *Graph) { g.Nodes[1].Site = long }, "operator 1: the call site has 65537 bytes, more than 4096"},
		{"long type", func(g *Graph) { g.Nodes[1].Type = long }, "Map (jobs/job.go:1): the type has 65537 bytes, more than 65536"},
		{"nodes", func(g *Graph) { g.Nodes = make([]Node, maxNodes+1) }, "job test has 10001 operators, more than 10000"},
		{"inputs", func(g *Graph) { g.Nodes[1].Inputs = make([]int, maxInputs+1) }, "inputs, more than 100000"},
		{"patterns", func(g *Graph) { g.Nodes[0].Source.Patterns = make([]string, maxPatterns+1) }, "100001 patterns, more than 100000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := twoSinks(t)
			if err := g.Validate(); err != nil {
				t.Fatalf("the graph as it was: %v", err)
			}
			test.spoil(g)
			if err := g.Validate(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Validate() = %.300v, want %q in it", err, test.want)
			}
		})
	}
}

func twoSinks(t *testing.T) *Graph {
	g, err := parseGraph("a = read in | Map | shuffle hash combine\na | write x\na | write y")
	if err != nil {
		t.Fatal(err)
	}
	// The first sink stands at 3, the second at 4.
	return g
}
