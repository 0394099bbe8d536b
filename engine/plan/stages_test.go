package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The following define by recursion over inputs what Stages computes by walking along users.

func isRoot(n *Node) bool { return n.Kind == Source || n.Kind == Exchange }

// needed tells whether a sink depends on node.
func needed(g *Graph, node int) bool {
	if g.Nodes[node].Kind == Sink {
		return true
	}
	for i := range g.Nodes {
		if slices.Contains(g.Nodes[i].Inputs, node) && needed(g, i) {
			return true
		}
	}
	return false
}

// reached tells whether records of root pass node without another exchange between.
func reached(g *Graph, root, node int) bool {
	for _, in := range g.Nodes[node].Inputs {
		if in == root || !isRoot(&g.Nodes[in]) && reached(g, root, in) {
			return true
		}
	}
	return false
}

func TestStagesReachEachNodeOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		if err := g.Validate(); err != nil {
			t.Fatalf("drew an invalid graph: %v", err)
		}
		stages, err := Stages(g)
		if err != nil {
			t.Fatal(err)
		}
		byRoot := make(map[int]*Stage)
		for i := range stages {
			s := &stages[i]
			if s.ID != i || byRoot[s.Root] != nil || s.Nodes[0] != s.Root || !isRoot(&g.Nodes[s.Root]) {
				t.Fatalf("stage %d: %+v", i, s)
			}
			byRoot[s.Root] = s
		}
		for root := range g.Nodes {
			s := byRoot[root]
			if want := isRoot(&g.Nodes[root]) && needed(g, root); (s != nil) != want {
				t.Fatalf("root %d has a stage: %v, want %v", root, s != nil, want)
			}
			if s == nil {
				continue
			}
			for node := range g.Nodes {
				want := 0
				if node == root || needed(g, node) && reached(g, root, node) {
					want = 1
				}
				if have := times(s.Nodes, node); have != want {
					t.Fatalf("stage of %d has node %d %d times, want %d", root, node, have, want)
				}
			}
			checkOrder(t, g, s)
			checkEdges(t, stages, s)
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

// checkOrder holds a stage's nodes against the order that Stage.Nodes promises.
func checkOrder(t *rapid.T, g *Graph, s *Stage) {
	inner := s.Nodes[1 : len(s.Nodes)-len(s.Outputs)]
	if !slices.IsSorted(inner) || !slices.IsSorted(s.Outputs) || !slices.Equal(s.Nodes[1+len(inner):], s.Outputs) {
		t.Fatalf("stage %d: nodes %v, outputs %v", s.ID, s.Nodes, s.Outputs)
	}
	for _, n := range inner {
		if g.Nodes[n].Kind != Narrow {
			t.Fatalf("stage %d: node %d stands among the narrow ones", s.ID, n)
		}
	}
	for _, n := range s.Outputs {
		if k := g.Nodes[n].Kind; k != Exchange && k != Sink {
			t.Fatalf("stage %d: node %d is no output", s.ID, n)
		}
	}
}

// checkEdges holds a stage's parents against the outputs of all.
func checkEdges(t *rapid.T, stages []Stage, s *Stage) {
	var writers []int
	for i := range stages {
		if slices.Contains(stages[i].Outputs, s.Root) {
			writers = append(writers, i)
		}
	}
	if !slices.Equal(writers, s.Parents) || len(writers) > 0 && slices.Max(writers) >= s.ID {
		t.Fatalf("stage %d: parents %v, writers %v", s.ID, s.Parents, writers)
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
