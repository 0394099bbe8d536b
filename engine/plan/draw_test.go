package plan

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// drawGraph draws a valid graph: any node may use any earlier one, so diamonds, dead code and chains of shuffles are
// common. Sides are as common, where the draw says that there are any.
func drawGraph(t *rapid.T) *Graph {
	d := &drawer{graph: &Graph{Job: "random"}, sides: rapid.Bool().Draw(t, "sides")}
	n := rapid.IntRange(1, 25).Draw(t, "nodes")
	d.source()
	for range n - 1 {
		kinds := []Kind{Source, Narrow, Exchange, Sink, Meet}
		switch kind := rapid.SampledFrom(kinds).Draw(t, "kind"); kind {
		case Source:
			d.source()
		case Meet:
			x := Shuffle{Partitions: rapid.IntRange(0, 40).Draw(t, "partitions")}
			left, right := x, x
			a, b := d.add(t, Node{Kind: Exchange, Exchange: &left}), d.add(t, Node{Kind: Exchange, Exchange: &right})
			d.graph.Nodes = append(d.graph.Nodes, Node{ID: b + 1, Op: "Op", Kind: Meet, Inputs: []int{a, b}})
			d.usable = append(d.usable, b+1)
		case Exchange:
			x := &Shuffle{Partitions: rapid.IntRange(0, 40).Draw(t, "partitions"), Thin: d.sides && rapid.Bool().Draw(t, "thin")}
			x.Partitioning = rapid.SampledFrom([]Partitioning{ByHash, ByRow, ByRange}).Draw(t, "partitioning")
			id := d.add(t, Node{Kind: Exchange, Exchange: x})
			d.usable, d.exchanges = append(d.usable, id), append(d.exchanges, id)
		case Narrow:
			d.usable = append(d.usable, d.add(t, Node{Kind: Narrow}))
		case Sink:
			d.sink(t)
		}
	}
	d.sink(t)
	return d.graph
}

type drawer struct {
	graph     *Graph
	sides     bool
	usable    []int // the nodes that may be inputs
	exchanges []int // those that may be sides
}

func (d *drawer) source() {
	id := len(d.graph.Nodes)
	d.graph.Nodes = append(d.graph.Nodes, Node{ID: id, Op: "Op", Source: &Input{Patterns: []string{"in"}}})
	d.usable = append(d.usable, id)
}

func (d *drawer) sink(t *rapid.T) {
	d.add(t, Node{Kind: Sink, Sink: &Location{Path: fmt.Sprintf("out%d", len(d.graph.Nodes))}})
}

// add adds a node with inputs and sides.
func (d *drawer) add(t *rapid.T, n Node) (id int) {
	most := 3
	if n.Kind == Sink {
		most = 1
	}
	n.ID, n.Op = len(d.graph.Nodes), "Op"
	n.Inputs = rapid.SliceOfN(rapid.SampledFrom(d.usable), 1, most).Draw(t, "inputs")
	if d.sides && len(d.exchanges) > 0 {
		n.Sides = rapid.SliceOfNDistinct(rapid.SampledFrom(d.exchanges), 0, 2, rapid.ID).Draw(t, "sides")
		slices.Sort(n.Sides)
	}
	d.graph.Nodes = append(d.graph.Nodes, n)
	return n.ID
}

// drawFacts draws what is known at submission.
func drawFacts(t *rapid.T, g *Graph) Facts {
	f := Facts{Splits: make(map[int][]Split), Partitions: rapid.IntRange(0, 3).Draw(t, "setting")}
	for i, n := range g.Nodes {
		if n.Kind == Source {
			sizes := rapid.SliceOfN(rapid.Int64Range(0, 100<<20), 0, 5).Draw(t, "splits")
			f.Splits[i] = []Split{}
			for _, bytes := range sizes {
				f.Splits[i] = append(f.Splits[i], Split{Files: []FileRange{{Path: "in", Length: bytes, Size: bytes}}, Bytes: bytes})
			}
		}
	}
	return f
}
