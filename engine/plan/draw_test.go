package plan

import (
	"fmt"

	"pgregory.net/rapid"
)

// drawGraph draws a valid graph: any node may use any earlier one, so diamonds, dead code and chains of shuffles are
// common.
func drawGraph(t *rapid.T) *Graph {
	g := &Graph{Job: "random"}
	n := rapid.IntRange(1, 25).Draw(t, "nodes")
	var usable []int
	for i := range n {
		node := Node{ID: i, Op: "Op", Kind: Source}
		if i > 0 {
			node.Kind = Kind(rapid.IntRange(0, 3).Draw(t, "kind"))
		}
		if node.Kind != Source {
			most := 3
			if node.Kind == Sink {
				most = 1
			}
			node.Inputs = rapid.SliceOfN(rapid.SampledFrom(usable), 1, most).Draw(t, "inputs")
		}
		switch node.Kind {
		case Source:
			node.Source = &Input{Patterns: []string{"in"}}
		case Exchange:
			node.Exchange = &Shuffle{Partitions: rapid.IntRange(0, 40).Draw(t, "partitions")}
		case Sink:
			node.Sink = &Location{Path: fmt.Sprintf("out%d", i)}
		}
		if node.Kind != Sink {
			usable = append(usable, i)
		}
		g.Nodes = append(g.Nodes, node)
	}
	last := rapid.SampledFrom(usable).Draw(t, "written")
	g.Nodes = append(g.Nodes, Node{ID: n, Op: "Op", Kind: Sink, Inputs: []int{last}, Sink: &Location{Path: "out"}})
	return g
}

// drawFacts draws what is known at submission.
func drawFacts(t *rapid.T, g *Graph) Facts {
	f := Facts{Splits: make(map[int][]Split), Partitions: rapid.IntRange(0, 3).Draw(t, "setting")}
	for i, n := range g.Nodes {
		if n.Kind == Source {
			sizes := rapid.SliceOfN(rapid.Int64Range(0, 100<<20), 0, 5).Draw(t, "splits")
			f.Splits[i] = []Split{}
			for _, bytes := range sizes {
				f.Splits[i] = append(f.Splits[i], Split{Bytes: bytes})
			}
		}
	}
	return f
}
