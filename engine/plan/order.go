package plan

import "slices"

// Order says what a node does about the order of records. It matters where a task runs again: see Stage.OrderDependent.
type Order uint8

// What nodes do about order. An exchange by hash does it on its reading side, another one on its writing side.
const (
	// KeepsOrder hands records on in the order of those that they are made of.
	KeepsOrder Order = iota
	// LosesOrder hands the same records on in another order in each attempt: a join, which goes by what is free of memory.
	LosesOrder
	// MakesOrder hands the same on, in the same order, in whichever order records come: a count by key.
	MakesOrder
	// UsesOrder makes what it hands on, or where it takes a record, depend on the order in which records come: a sample, rows
	// dealt out in turn, the first of equal ones, all values of a key one after another.
	UsesOrder
	// Rounds is UsesOrder, and its values may differ in the last bits in each attempt even if the order does not: sums of
	// floats, which are added in groups that go by what is free of memory.
	Rounds
)

// markOrder sets Stage.OrderDependent. Parents stand before those that read what they write.
//
// The blocks of an exchange are loose if a task that writes it, run again, may write the same records to each of them in
// another order. What uses the order of loose blocks makes other blocks of them, not the same in another order: that is what
// is marked. No block that a marked stage writes is loose, as all that read it are run again with it.
func markOrder(g *Graph, stages []Stage) {
	w := &orderWalk{graph: g, loose: make([]bool, len(g.Nodes)), at: make([]bool, len(g.Nodes))}
	for i := range stages {
		w.through(&stages[i])
	}
}

// orderWalk follows records through the stages.
type orderWalk struct {
	graph *Graph
	loose []bool // by exchange
	stage *Stage // the one at hand
	at    []bool // by node of that: whether the records that leave it come in a loose order
	uses  bool   // something there has used an order that is loose, or has rounded
}

func (w *orderWalk) through(s *Stage) {
	w.stage, w.uses = s, false
	for _, id := range s.Nodes {
		w.pass(&w.graph.Nodes[id])
	}
	isExchange := func(out int) bool { return w.graph.Nodes[out].Kind == Exchange }
	s.OrderDependent = w.uses && slices.ContainsFunc(s.Outputs, isExchange)
	for _, out := range s.Outputs {
		w.loose[out] = w.loose[out] || w.at[out] && !s.OrderDependent
	}
	for _, id := range s.Nodes {
		w.at[id] = false
	}
}

// pass takes the records past a node.
func (w *orderWalk) pass(n *Node) {
	root := n.ID == w.stage.Root
	in := w.comes(n, root)
	hashed := n.Kind == Exchange && n.Exchange.Partitioning == ByHash
	for _, side := range n.Sides {
		w.uses = w.uses || !root && w.loose[side]
	}
	if n.Kind == Exchange && root != hashed {
		w.at[n.ID] = in // what the node does, it does on its other side
		return
	}
	switch n.Order {
	case KeepsOrder:
		w.at[n.ID] = in
	case LosesOrder:
		w.at[n.ID] = true
	case MakesOrder:
		w.at[n.ID] = false
	case UsesOrder:
		w.uses = w.uses || in
		w.at[n.ID] = in
	case Rounds:
		w.uses = true
		w.at[n.ID] = in
	}
}

// comes tells whether the order is loose in which records come to a node.
func (w *orderWalk) comes(n *Node, root bool) bool {
	if root {
		return slices.ContainsFunc(n.exchanges(), func(x int) bool { return w.loose[x] })
	}
	return slices.ContainsFunc(n.Inputs, func(in int) bool { return w.at[in] })
}
