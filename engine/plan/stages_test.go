package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The following define by recursion over inputs what Stages computes by walking along users.

// needed tells whether a sink depends on node.
func needed(g *Graph, node int) bool {
	if g.Nodes[node].Kind == Sink {
		return true
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if (slices.Contains(n.Inputs, node) || slices.Contains(n.Sides, node)) && needed(g, i) {
			return true
		}
	}
	return false
}

// reached tells whether records of root pass node without another exchange between. A meet takes no records one by one.
func reached(g *Graph, root, node int) bool {
	if g.Nodes[node].Kind == Meet {
		return false
	}
	for _, in := range g.Nodes[node].Inputs {
		if in == root || g.Nodes[in].Kind == Narrow && reached(g, root, in) {
			return true
		}
	}
	return false
}

// between tells whether node lies on a way from root to an output, or is the output.
func between(g *Graph, root, node, output int) bool {
	if !reached(g, root, node) {
		return false
	}
	if node == output {
		return true
	}
	return g.Nodes[node].Kind == Narrow && slices.ContainsFunc(g.Nodes, func(n Node) bool {
		return slices.Contains(n.Inputs, node) && between(g, root, n.ID, output)
	})
}

func TestStagesReachEachOutputOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		if err := g.Validate(); err != nil {
			t.Fatalf("drew an invalid graph: %v", err)
		}
		stages, err := Stages(g)
		if err != nil {
			t.Fatal(err)
		}
		var sides bool
		for root := range g.Nodes {
			sides = sides || len(g.Nodes[root].Sides) > 0 || g.Nodes[root].Exchange != nil && g.Nodes[root].Exchange.Thin
			for node := range g.Nodes {
				k := g.Nodes[node].Kind
				want := 0
				if g.Nodes[root].begins() && (k == Exchange || k == Sink) && reached(g, root, node) && needed(g, node) {
					want = 1
				}
				have := 0
				for i := range stages {
					if stages[i].Root == root {
						have += times(stages[i].Outputs, node)
					}
				}
				if have != want {
					t.Fatalf("root %d writes output %d %d times, want %d", root, node, have, want)
				}
			}
		}
		for i := range stages {
			s := &stages[i]
			if s.ID != i || s.Nodes[0] != s.Root || !g.Nodes[s.Root].begins() || len(s.Outputs) == 0 {
				t.Fatalf("stage %d: %+v", i, s)
			}
			if !sides && i > 0 && (stages[i-1].Root >= s.Root || s.Pass > 0 || s.Thin) {
				t.Fatalf("without sides, stage %+v stands behind %+v", s, stages[i-1])
			}
			checkNodes(t, g, s)
			checkEdges(t, g, stages, s)
			checkPass(t, g, stages, s)
		}
	})
}

func times(list []int, x int) (n int) {
	for _, y := range list {
		if y == x {
			n++
		}
	}
	return n
}

// checkNodes holds a stage's nodes against what lies between its root and its outputs, and their order against the one that
// Stage.Nodes promises.
func checkNodes(t *rapid.T, g *Graph, s *Stage) {
	var inner, sides []int
	for node := range g.Nodes {
		if slices.ContainsFunc(s.Outputs, func(out int) bool { return between(g, s.Root, node, out) }) {
			sides = append(sides, g.Nodes[node].Sides...)
			if g.Nodes[node].Kind == Narrow {
				inner = append(inner, node)
			}
		}
	}
	if want := slices.Concat([]int{s.Root}, inner, s.Outputs); !slices.Equal(s.Nodes, want) || !slices.IsSorted(s.Outputs) {
		t.Fatalf("stage %d: nodes %v, want %v; outputs %v", s.ID, s.Nodes, want, s.Outputs)
	}
	slices.Sort(sides)
	if want := slices.Compact(sides); !slices.Equal(s.Sides, want) {
		t.Fatalf("stage %d: sides %v, want %v", s.ID, s.Sides, want)
	}
	for _, out := range s.Outputs {
		if x := g.Nodes[out].Exchange; s.Thin != (x != nil && x.Thin) {
			t.Fatalf("stage %d: thin %v, output %d is not the same", s.ID, s.Thin, out)
		}
	}
}

// checkEdges holds a stage's parents against the outputs of all.
func checkEdges(t *rapid.T, g *Graph, stages []Stage, s *Stage) {
	var writers []int
	for i := range stages {
		if slices.ContainsFunc(s.Reads(g), func(x int) bool { return slices.Contains(stages[i].Outputs, x) }) {
			writers = append(writers, i)
		}
	}
	if !slices.Equal(writers, s.Parents) || len(writers) > 0 && slices.Max(writers) >= s.ID {
		t.Fatalf("stage %d: parents %v, writers %v", s.ID, s.Parents, writers)
	}
}

// checkPass checks that an output stands in a later pass only because its sides are made of what an earlier one writes.
func checkPass(t *rapid.T, g *Graph, stages []Stage, s *Stage) {
	for _, out := range s.Outputs {
		above := make(map[int]bool)
		for i := range stages {
			for node := range g.Nodes {
				writes := slices.ContainsFunc(g.Nodes[node].Sides, func(x int) bool { return slices.Contains(stages[i].Outputs, x) })
				if writes && between(g, s.Root, node, out) {
					ancestors(stages, i, above)
				}
			}
		}
		before := s.Pass == 0
		for a := range above {
			o := &stages[a]
			if o.Root == s.Root && o.Thin == s.Thin {
				before = before || o.Pass >= s.Pass-1
			}
		}
		if !before {
			t.Fatalf("output %d of stage %d stands in pass %d, and its sides are made without pass %d", out, s.ID, s.Pass, s.Pass-1)
		}
	}
}

func TestStagesRefusesTooManyFused(t *testing.T) {
	// A thousand sources under one union and a thousand operators below it: a million nodes in stages.
	var text strings.Builder
	union := "u = union"
	for i := range 1000 {
		fmt.Fprintf(&text, "s%d = items 1 1\n", i)
		union += fmt.Sprintf(" s%d", i)
	}
	text.WriteString(union + strings.Repeat(" | Map", 1000) + " | write out")
	g, err := parseGraph(text.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Validate(); err != nil {
		t.Fatal(err)
	}
	if _, err := Stages(g); err == nil || !strings.Contains(err.Error(), "more than 1000000 operators in all") {
		t.Fatalf("Stages() = %v", err)
	}
}
