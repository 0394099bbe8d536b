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
	f := &forker{graph: g}
	for i := range stages {
		f.ways = append(f.ways, &way{stage: stages[i]})
	}
	for i := range f.ways {
		for _, parent := range stages[i].Parents {
			f.ways[i].parents = append(f.ways[i].parents, f.ways[parent])
		}
	}
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.Kind == Meet {
			for _, small := range n.Lookup {
				large := 1 - small
				if d := cmp.Compare(bytes[n.Inputs[small]], bytes[n.Inputs[large]]); d < 0 || d == 0 && small == 1 {
					f.fork(n, n.Inputs[small], n.Inputs[large])
				}
			}
		}
	}
	return f.order()
}

// way is a stage with its parents.
type way struct {
	stage   Stage
	parents []*way
	ordered bool
}

type forker struct {
	graph *Graph
	forks int
	ways  []*way
}

// fork adds the second way of a meet. There is none where a sink takes what comes of it, as its parts would be others; nor
// where those that write the large exchange write something else as well, which would have to be computed twice.
func (f *forker) fork(meet *Node, small, large int) {
	var after []*way
	for _, p := range f.ways {
		if p.stage.Root == meet.ID {
			after = append(after, p)
		}
	}
	before, deciders := f.writers(large), f.writers(small)
	whole := func(p *way) bool { return len(p.stage.Outputs) == 1 && !p.stage.Thin }
	shuffled := func(p *way) bool {
		return !slices.ContainsFunc(p.stage.Outputs, func(out int) bool { return f.graph.Nodes[out].Kind != Exchange })
	}
	if len(after) == 0 || !all(before, whole) || !all(after, shuffled) || len(before)*len(after) > maxWays || len(f.ways)+maxWays > maxStages || f.forks == maxForks {
		return
	}
	second := make([][]*way, len(after)) // by the stage that has the same outputs
	for i, a := range after {
		for _, b := range before {
			if f.shortcut(&b.stage, &a.stage) {
				return
			}
			second[i] = append(second[i], through(b, a, large, small, deciders))
		}
	}
	f.forks++
	for _, p := range before {
		p.stage.If = append(slices.Clip(p.stage.If), Condition{small, false})
		p.parents = append(p.parents, deciders...)
	}
	for _, p := range after {
		p.stage.If = append(slices.Clip(p.stage.If), Condition{small, false})
	}
	f.ways = append(f.ways, slices.Concat(second...)...)
	// Who reads what comes of the meet waits for both ways, of which one is skipped.
	for _, p := range f.ways {
		reads := p.stage.Reads(f.graph)
		for i, a := range after {
			if slices.ContainsFunc(a.stage.Outputs, func(out int) bool { return slices.Contains(reads, out) }) {
				p.parents = append(p.parents, second[i]...)
			}
		}
	}
}

// writers returns the stages that write an exchange.
func (f *forker) writers(exchange int) (writers []*way) {
	for _, p := range f.ways {
		if slices.Contains(p.stage.Outputs, exchange) {
			writers = append(writers, p)
		}
	}
	return writers
}

// shortcut tells whether records come from the first of two stages to the second one past the meet as well: those are
// written elsewhere, and must not come again where the two are one.
func (f *forker) shortcut(before, after *Stage) bool {
	return slices.ContainsFunc(after.Nodes[1:], func(id int) bool {
		return slices.ContainsFunc(f.graph.Nodes[id].Inputs, func(in int) bool { return slices.Contains(before.Nodes, in) })
	})
}

func all(ways []*way, ok func(*way) bool) bool {
	return !slices.ContainsFunc(ways, func(p *way) bool { return !ok(p) })
}

// through returns the stage that goes on from one that writes the large exchange to what one behind the meet does.
func through(before, after *way, large, small int, deciders []*way) *way {
	b, a := &before.stage, &after.stage
	s := Stage{
		Root: b.Root, Pass: b.Pass + a.Pass, Thin: a.Thin, Nodes: slices.Concat(b.Nodes, a.Nodes), Outputs: a.Outputs,
		Sides: slices.Concat(b.Sides, a.Sides, []int{small}), Partitions: b.Partitions, OutputPartitions: a.OutputPartitions,
		If: slices.Concat(b.If, a.If, []Condition{{small, true}}),
	}
	slices.Sort(s.Sides)
	s.Sides = slices.Compact(s.Sides)
	p := &way{stage: s, parents: slices.Concat(before.parents, deciders)}
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
