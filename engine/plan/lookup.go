package plan

import (
	"cmp"
	"slices"
)

// A join may go two ways. Both of its inputs are shuffled, and meet; or one of them turns out to be small, and every task that
// would write the other one reads it whole instead, and goes on with the join and what follows it. So there are two sets of
// stages with the same outputs, of which one runs. Which of the inputs may be looked up is decided at submission: the one with
// fewer estimated bytes above it. It is written first.

const (
	// maxWays caps the stages that one meet has in its second way: with each join of a chain there are more ways to the next.
	maxWays = 16
	// maxForks caps the meets that have one.
	maxForks = 200
)

// forks adds the second way of the meets that have one, in the order of their nodes, so that what comes of one join may be
// looked up against the next. Bytes are those above each exchange.
func forks(g *Graph, stages []Stage, bytes []int64) []Stage {
	f := newForker(g, stages)
	f.forkAll(bytes)
	return f.order()
}

// way is a stage with its parents.
type way struct {
	stage   Stage
	reads   []int // exchanges
	parents []*way
	ordered bool
}

type forker struct {
	graph  *Graph
	forks  int
	fused  int // nodes of all stages together: no more ways are added beyond maxFused
	looked int // nodes and their inputs, and stages: likewise, beyond maxLooked
	ways   []*way
}

func newForker(g *Graph, stages []Stage) *forker {
	f := &forker{graph: g}
	for i := range stages {
		f.ways = append(f.ways, &way{stage: stages[i], reads: stages[i].Reads(g)})
		f.fused += len(stages[i].Nodes)
	}
	for i := range f.ways {
		for _, parent := range stages[i].Parents {
			f.ways[i].parents = append(f.ways[i].parents, f.ways[parent])
		}
	}
	return f
}

func (f *forker) forkAll(bytes []int64) {
	for i := range f.graph.Nodes {
		if f.forks == maxForks || f.fused > maxFused || f.looked > maxLooked {
			return
		}
		n := &f.graph.Nodes[i]
		for _, small := range n.Lookup {
			large := 1 - small
			if d := cmp.Compare(bytes[n.Inputs[small]], bytes[n.Inputs[large]]); d < 0 || d == 0 && small == 1 {
				f.fork(n, n.Inputs[small], n.Inputs[large])
			}
		}
	}
}

// fork adds the second way of a meet, unless something stands against it.
func (f *forker) fork(meet *Node, small, large int) {
	after := f.rootedAt(meet.ID)
	before, deciders := f.writers(large), f.writers(small)
	if !f.forkable(before, after) || f.shortcut(before, after) {
		return
	}
	f.forks++
	second := make([][]*way, len(after)) // by the stage that has the same outputs
	for i, a := range after {
		for _, b := range before {
			second[i] = append(second[i], f.through(b, a, large, small, deciders))
		}
	}
	for _, p := range before {
		p.stage.If = append(slices.Clip(p.stage.If), Condition{small, false})
		p.parents = append(p.parents, deciders...)
	}
	for _, p := range after {
		p.stage.If = append(slices.Clip(p.stage.If), Condition{small, false})
	}
	f.ways = append(f.ways, slices.Concat(second...)...)
	f.await(after, second)
}

// forkable tells whether a meet may have a second way. It may not where a sink takes what comes of it, as its parts would be
// others; nor where those that write the large exchange write something else as well, which would have to be computed twice.
func (f *forker) forkable(before, after []*way) bool {
	alone := func(p *way) bool { return len(p.stage.Outputs) == 1 && !p.stage.Thin }
	isShuffled := func(out int) bool { return f.graph.Nodes[out].Kind == Exchange }
	shuffled := func(p *way) bool { return all(p.stage.Outputs, isShuffled) }
	room := len(before)*len(after) <= maxWays && len(f.ways)+maxWays <= maxStages
	return room && len(after) > 0 && all(before, alone) && all(after, shuffled)
}

// shortcut tells whether records come from a stage before the meet to one behind it past the meet as well: those are
// written elsewhere, and must not come again where the two are one. So it does where there is too much to look at.
func (f *forker) shortcut(before, after []*way) bool {
	for _, b := range before {
		within := make([]bool, len(f.graph.Nodes))
		for _, id := range b.stage.Nodes {
			within[id] = true
		}
		f.looked += len(b.stage.Nodes)
		for _, a := range after {
			if f.enters(a.stage.Nodes[1:], within) {
				return true
			}
		}
	}
	return false
}

// enters tells whether one of some nodes has an input among others.
func (f *forker) enters(nodes []int, within []bool) bool {
	isWithin := func(in int) bool { return within[in] }
	for _, id := range nodes {
		inputs := f.graph.Nodes[id].Inputs
		f.looked += 1 + len(inputs)
		if f.looked > maxLooked || slices.ContainsFunc(inputs, isWithin) {
			return true
		}
	}
	return false
}

// await lets who reads what comes of a meet wait for both ways, of which one is skipped.
func (f *forker) await(after []*way, second [][]*way) {
	f.looked += len(f.ways)
	for _, p := range f.ways {
		for i, a := range after {
			if slices.ContainsFunc(a.stage.Outputs, func(out int) bool { return slices.Contains(p.reads, out) }) {
				p.parents = append(p.parents, second[i]...)
			}
		}
	}
}

// rootedAt returns the stages with a root.
func (f *forker) rootedAt(root int) (rooted []*way) {
	f.looked += len(f.ways)
	for _, p := range f.ways {
		if p.stage.Root == root {
			rooted = append(rooted, p)
		}
	}
	return rooted
}

// writers returns the stages that write an exchange.
func (f *forker) writers(exchange int) (writers []*way) {
	f.looked += len(f.ways)
	for _, p := range f.ways {
		if slices.Contains(p.stage.Outputs, exchange) {
			writers = append(writers, p)
		}
	}
	return writers
}

func all[T any](list []T, ok func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !ok(v) })
}

// through returns the stage that goes on from one that writes the large exchange to what one behind the meet does.
func (f *forker) through(before, after *way, large, small int, deciders []*way) *way {
	b, a := &before.stage, &after.stage
	s := Stage{
		Root: b.Root, Pass: b.Pass + a.Pass, Thin: a.Thin, Nodes: slices.Concat(b.Nodes, a.Nodes), Outputs: a.Outputs,
		Sides: slices.Concat(b.Sides, a.Sides, []int{small}), Partitions: b.Partitions, OutputPartitions: a.OutputPartitions,
		If: slices.Concat(b.If, a.If, []Condition{{small, true}}),
	}
	slices.Sort(s.Sides)
	s.Sides = slices.Compact(s.Sides)
	f.fused += len(s.Nodes)
	p := &way{stage: s, reads: s.Reads(f.graph), parents: slices.Concat(before.parents, deciders)}
	for _, parent := range after.parents {
		if !slices.Contains(parent.stage.Outputs, large) {
			p.parents = append(p.parents, parent)
		}
	}
	return p
}

// order numbers the stages so that parents stand before those that wait for them, and otherwise as cutting does.
func (f *forker) order() []Stage {
	slices.SortStableFunc(f.ways, func(a, b *way) int {
		return cmp.Or(cmp.Compare(a.stage.Root, b.stage.Root), cmp.Compare(a.stage.Pass, b.stage.Pass), thinFirst(a.stage.Thin, b.stage.Thin))
	})
	stages := make([]Stage, 0, len(f.ways))
	var add func(p *way)
	add = func(p *way) {
		if p.ordered {
			return
		}
		p.ordered = true
		for _, parent := range p.parents {
			add(parent)
		}
		p.stage.ID, p.stage.Parents = len(stages), nil
		for _, parent := range p.parents {
			p.stage.Parents = append(p.stage.Parents, parent.stage.ID)
		}
		slices.Sort(p.stage.Parents)
		p.stage.Parents = slices.Compact(p.stage.Parents)
		stages = append(stages, p.stage)
	}
	for _, p := range f.ways {
		add(p)
	}
	return stages
}
