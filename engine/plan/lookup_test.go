package plan

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestEveryWayMovesTheSame runs random plans with numbers for datasets: a source is a number, a union the sum, and a meet the
// product, as each record of one side comes together with all of the other. Whatever joins are looked up, what comes to each
// output is what the graph says; so each record comes there once.
func TestEveryWayMovesTheSame(t *testing.T) {
	forked := 0
	rapid.Check(t, func(t *rapid.T) {
		g := drawChains(t)
		facts := drawFacts(t, g)
		stages, err := Stages(g)
		if err != nil {
			t.Fatal(err)
		}
		if stages, err = Settle(g, stages, facts); err != nil {
			t.Fatal(err)
		}
		small := make(map[int]bool) // by exchange that decides
		for _, s := range stages {
			for _, c := range s.If {
				if _, drawn := small[c.Exchange]; !drawn {
					small[c.Exchange] = rapid.Bool().Draw(t, "small")
				}
			}
		}
		if len(small) > 0 {
			forked++
		}
		written := make(map[int]uint64)
		for i := range stages {
			s := &stages[i]
			if s.ID != i || len(s.Parents) > 0 && slices.Max(s.Parents) >= i {
				t.Fatalf("stage %d stands at %d, behind its parents %v", s.ID, i, s.Parents)
			}
			checkParents(t, g, stages, s)
			if !slices.ContainsFunc(s.If, func(c Condition) bool { return small[c.Exchange] != c.Small }) {
				move(g, s, written)
			}
		}
		want := make([]uint64, len(g.Nodes))
		for i := range g.Nodes {
			n := &g.Nodes[i]
			want[i] = number(n, func(in int) uint64 { return want[in] })
			if have, live := written[i]; live && have != want[i] {
				t.Fatalf("%d of %d come to node %d, where %v are small:\n%s", have, want[i], i, small, Explain(g, stages, facts))
			} else if !live && n.Kind == Sink {
				t.Fatalf("nothing comes to the sink %d", i)
			}
		}
	})
	if forked == 0 {
		t.Error("no join had two ways")
	}
}

// number returns the number of a node that is not a stage's root.
func number(n *Node, in func(int) uint64) (sum uint64) {
	switch n.Kind {
	case Source:
		return uint64(n.ID)*0x9e3779b97f4a7c15 + 1
	case Meet:
		return in(n.Inputs[0]) * in(n.Inputs[1])
	default:
		for _, input := range n.Inputs {
			sum += in(input)
		}
		return sum
	}
}

// move runs a stage.
func move(g *Graph, s *Stage, written map[int]uint64) {
	within := map[int]uint64{}
	for _, id := range s.Nodes {
		n := &g.Nodes[id]
		if n.Kind == Exchange && id == s.Root {
			within[id] = written[id]
			continue
		}
		within[id] = number(n, func(in int) uint64 {
			switch value, here := within[in]; {
			case in != s.Root && slices.Contains(s.Outputs, in):
				return 0 // it leaves the stage there
			case here || n.Kind != Meet:
				return value
			default:
				return written[in]
			}
		})
	}
	for _, out := range s.Outputs {
		written[out] += within[out]
	}
}

// checkParents checks that a stage waits for all that writes what it reads and that decides whether it runs, and for no
// others.
func checkParents(t *rapid.T, g *Graph, stages []Stage, s *Stage) {
	needs := s.Reads(g)
	for _, c := range s.If {
		needs = append(needs, c.Exchange)
	}
	var want []int
	for i := range stages {
		if slices.ContainsFunc(stages[i].Outputs, func(out int) bool { return slices.Contains(needs, out) }) {
			want = append(want, i)
		}
	}
	if !slices.Equal(s.Parents, want) {
		t.Fatalf("stage %d waits for %v, want %v", s.ID, s.Parents, want)
	}
}

// TestForksLookAtEachStageOnce adds the second way of a join between a union of many sources and a web of operators.
func TestForksLookAtEachStageOnce(t *testing.T) {
	g := &Graph{Job: "wide"}
	add := func(n Node, inputs ...int) int {
		n.ID, n.Op, n.Inputs = len(g.Nodes), "Op", inputs
		g.Nodes = append(g.Nodes, n)
		return n.ID
	}
	shuffle := func(in int) int { return add(Node{Kind: Exchange, Exchange: &Shuffle{}}, in) }
	var sources []int
	for range maxWays {
		sources = append(sources, add(Node{Source: &Input{Items: 10, ItemBytes: 1 << 20}}))
	}
	large := add(Node{Kind: Narrow}, sources...)
	for range 1000 {
		large = add(Node{Kind: Narrow}, large)
	}
	small := add(Node{Source: &Input{Items: 1, ItemBytes: 1}})
	last := add(Node{Kind: Meet, Lookup: []int{1}}, shuffle(large), shuffle(small))
	for range 1000 {
		last = add(Node{Kind: Narrow}, slices.Repeat([]int{last}, 20)...)
	}
	add(Node{Kind: Sink, Sink: &Location{Path: "out"}}, shuffle(last))
	stages, err := Stages(g)
	if err != nil {
		t.Fatal(err)
	}
	f := newForker(g, stages)
	f.forkAll(make([]int64, len(g.Nodes)))
	if f.forks != 1 || f.looked > maxWays*(1000+1000*21)+1000 {
		t.Errorf("%d joins have a second way, after %d looks", f.forks, f.looked)
	}
	f = newForker(g, stages)
	f.looked = maxLooked - 1000
	if f.forkAll(make([]int64, len(g.Nodes))); f.forks != 0 || f.looked > maxLooked+1000 {
		t.Errorf("near the limit, %d joins have a second way, after %d looks", f.forks, f.looked)
	}
}
