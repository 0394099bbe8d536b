package plan

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"
)

// drawGraph draws a valid graph: any node may use any earlier one, so diamonds, dead code and chains of shuffles are
// common. Sides are as common, where the draw says that there are any.
func drawGraph(t *rapid.T) *Graph { return drawAround(t, 0) }

// drawChains draws a graph like drawGraph's around chains of joins.
func drawChains(t *rapid.T) *Graph { return drawAround(t, rapid.IntRange(1, 2).Draw(t, "chains")) }

func drawAround(t *rapid.T, chains int) *Graph {
	d := &drawer{graph: &Graph{Job: "random"}, sides: rapid.Bool().Draw(t, "sides")}
	n := rapid.IntRange(0, 24).Draw(t, "nodes")
	d.usable = append(d.usable, d.source())
	for range chains {
		d.chain(t)
	}
	for range n {
		d.node(t)
	}
	d.sink(t)
	return d.graph
}

// node adds nodes of a kind.
func (d *drawer) node(t *rapid.T) {
	switch kind := Kind(rapid.IntRange(int(Source), int(Meet)).Draw(t, "kind")); kind {
	case Source:
		d.usable = append(d.usable, d.source())
	case Meet:
		d.usable = append(d.usable, d.meet(t, nil, nil))
	case Exchange:
		x := &Shuffle{Partitions: rapid.IntRange(0, 40).Draw(t, "partitions"), Thin: d.sides && rapid.Bool().Draw(t, "thin")}
		x.Partitioning = rapid.SampledFrom([]Partitioning{ByHash, ByRow, ByRange}).Draw(t, "partitioning")
		id := d.add(t, Node{Kind: Exchange, Exchange: x}, nil)
		d.usable, d.exchanges = append(d.usable, id), append(d.exchanges, id)
	case Narrow:
		d.usable = append(d.usable, d.add(t, Node{Kind: Narrow}, nil))
	case Sink:
		d.sink(t)
	}
}

type drawer struct {
	graph     *Graph
	sides     bool
	usable    []int // the nodes that may be inputs
	exchanges []int // those that may be sides
}

func (d *drawer) source() (id int) {
	id = len(d.graph.Nodes)
	d.graph.Nodes = append(d.graph.Nodes, Node{ID: id, Op: "Op", Source: &Input{Patterns: []string{"in"}}})
	return id
}

// meet adds two exchanges that meet, of given inputs or of any.
func (d *drawer) meet(t *rapid.T, left, right []int) (id int) {
	x := Shuffle{Partitions: rapid.IntRange(0, 40).Draw(t, "partitions")}
	y := x
	a, b := d.add(t, Node{Kind: Exchange, Exchange: &x}, left), d.add(t, Node{Kind: Exchange, Exchange: &y}, right)
	lookup := rapid.SampledFrom([][]int{{0, 1}, {0}, {1}, nil}).Draw(t, "lookup")
	d.graph.Nodes = append(d.graph.Nodes, Node{ID: b + 1, Op: "Op", Kind: Meet, Inputs: []int{a, b}, Lookup: lookup})
	return b + 1
}

// chain adds a source that is joined with other datasets, one after another, and what is shuffled of that: most often nobody
// else reads what is on the way.
func (d *drawer) chain(t *rapid.T) {
	at := []int{d.source()}
	for range rapid.IntRange(1, 3).Draw(t, "joins") {
		other := []int{d.source()}
		if rapid.IntRange(0, 2).Draw(t, "known") == 0 {
			other = nil
		}
		if rapid.Bool().Draw(t, "left") {
			at = []int{d.meet(t, at, other)}
		} else {
			at = []int{d.meet(t, other, at)}
		}
		if rapid.IntRange(0, 3).Draw(t, "more") == 0 {
			at = append(at, rapid.SampledFrom(d.usable).Draw(t, "united"))
		}
		if rapid.Bool().Draw(t, "narrow") {
			at = []int{d.add(t, Node{Kind: Narrow}, at)}
		}
	}
	for range rapid.IntRange(1, 2).Draw(t, "outputs") {
		x := &Shuffle{Thin: d.sides && rapid.Bool().Draw(t, "thin")}
		id := d.add(t, Node{Kind: Exchange, Exchange: x}, at)
		d.usable, d.exchanges = append(d.usable, id), append(d.exchanges, id)
	}
}

func (d *drawer) sink(t *rapid.T) {
	d.add(t, Node{Kind: Sink, Sink: &Location{Path: fmt.Sprintf("out%d", len(d.graph.Nodes))}}, nil)
}

// add adds a node with sides, and with inputs if none are given.
func (d *drawer) add(t *rapid.T, n Node, inputs []int) (id int) {
	most := 3
	if n.Kind == Sink {
		most = 1
	}
	n.ID, n.Op = len(d.graph.Nodes), "Op"
	if n.Inputs = inputs; inputs == nil {
		n.Inputs = rapid.SliceOfN(rapid.SampledFrom(d.usable), 1, most).Draw(t, "inputs")
	}
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
