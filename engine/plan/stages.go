package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// The caps on what cutting a graph may cost a master. A node below a union of many roots stands in a stage of each; and for
// each output that needs sides, all stages are looked at that these depend on.
const (
	maxFused  = 1_000_000 // nodes of all stages together, and sides that outputs need
	maxStages = 10_000
	maxLooked = 10_000_000 // stages, for all outputs; and their parents
)

// Stages cuts a valid graph at its exchanges: see Stage. A stage's parents stand before it, and as far as that leaves a
// choice, stages come in the order of their roots' nodes. Nodes that reach no sink are left out: what nobody writes is
// neither computed nor read. What follows from the input's size is still open: see Settle.
func Stages(g *Graph) ([]Stage, error) {
	c := &cutter{graph: g, users: liveUsers(g), reached: make(map[int][]int), stages: make(map[reading]*draft), writers: make(map[int][]*draft)}
	for root := range g.Nodes {
		if g.Nodes[root].begins() && len(c.users[root]) > 0 {
			if err := c.reach(root); err != nil {
				return nil, err
			}
		}
	}
	// Sides stand before who needs them: all that writes them is placed by then.
	slices.SortStableFunc(c.branches, func(a, b branch) int { return cmp.Compare(a.output, b.output) })
	for _, b := range c.branches {
		if err := c.place(b); err != nil {
			return nil, err
		}
	}
	return c.number()
}

// begins tells whether a node is the root of stages.
func (n *Node) begins() bool { return n.Kind == Source || n.Kind == Exchange || n.Kind == Meet }

// liveUsers returns the users of each node that take its records one by one and that lead to a sink. It is nil for a node
// that leads to none; empty for a sink, and for an exchange that is read otherwise alone: as a side, or by a meet.
func liveUsers(g *Graph) [][]int {
	users := make([][]int, len(g.Nodes))
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := &g.Nodes[i]
		if n.Kind == Sink {
			users[i] = []int{}
		}
		if users[i] == nil {
			continue
		}
		whole := n.Sides
		if n.Kind == Meet {
			whole = n.Inputs
		}
		for _, side := range whole {
			if users[side] == nil {
				users[side] = []int{}
			}
		}
		if n.Kind == Meet {
			continue
		}
		for _, in := range n.Inputs {
			// Users come in decreasing order, so a repeated input (the union of a dataset with itself) is the last one.
			if have := users[in]; len(have) == 0 || have[len(have)-1] != i {
				users[in] = append(have, i)
			}
		}
	}
	return users
}

// cutter cuts one graph.
type cutter struct {
	graph    *Graph
	users    [][]int
	reached  map[int][]int // by root: the narrow nodes that are reached from it, in increasing order
	branches []branch
	stages   map[reading]*draft
	writers  map[int][]*draft // by exchange
	fused    int
	looked   int
	walk     int // the last one of passOf
}

// branch is an output as it is reached from one root.
type branch struct {
	root, output int
	sides        []int // what is needed on the way and at its end, in increasing order
}

// reading is what tells stages apart: a root, and which reading of it.
type reading struct {
	root, pass int
	thin       bool
}

// draft is a stage that may get more outputs.
type draft struct {
	reading
	outputs []int // in increasing order
	sides   []int
	parents []*draft // one may stand there several times
	walked  int      // the last walk that came by

	numbered bool
	id       int
}

// reach finds the outputs of a root with the sides that they need.
func (c *cutter) reach(root int) error {
	seen := map[int]bool{root: true}
	var found []int
	for todo := []int{root}; len(todo) > 0; {
		last := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, u := range c.users[last] {
			if seen[u] {
				continue
			}
			seen[u] = true
			found = append(found, u)
			if c.graph.Nodes[u].Kind == Narrow {
				todo = append(todo, u)
			}
		}
	}
	if err := c.fuse(1 + len(found)); err != nil {
		return err
	}
	slices.Sort(found)
	sides := make(map[int][]int, len(found)) // by node: those on all ways to it
	for _, id := range found {
		n := &c.graph.Nodes[id]
		needs := union(nil, n.Sides)
		for _, in := range n.Inputs {
			if c.graph.Nodes[in].Kind == Narrow && seen[in] {
				needs = union(needs, sides[in])
			}
		}
		sides[id] = needs
		if err := c.fuse(len(needs)); err != nil {
			return err
		}
		if n.Kind == Narrow {
			c.reached[root] = append(c.reached[root], id)
		} else {
			c.branches = append(c.branches, branch{root, id, needs})
		}
	}
	return nil
}

func (c *cutter) fuse(more int) error {
	if c.fused += more; c.fused > maxFused {
		return fmt.Errorf("job %s unites too many sources: its stages have more than %d operators in all", c.graph.Job, maxFused)
	}
	return nil
}

// union returns the numbers of two increasing lists, which stay as they are: one of them, where it holds the other.
func union(a, b []int) []int {
	if len(a) < len(b) {
		a, b = b, a
	}
	for _, x := range b {
		if _, found := slices.BinarySearch(a, x); !found {
			all := slices.Concat(a, b)
			slices.Sort(all)
			return slices.Compact(all)
		}
	}
	return a
}

// place puts an output into its stage. No cycle comes of it: none of the stages that its sides depend on is that one.
func (c *cutter) place(b branch) error {
	at := reading{root: b.root}
	if x := c.graph.Nodes[b.output].Exchange; x != nil {
		at.thin = x.Thin
	}
	at.pass = c.passOf(at, b.sides)
	s := c.stages[at]
	if s == nil {
		s = &draft{reading: at}
		for _, x := range c.graph.Nodes[at.root].exchanges() {
			c.follow(s, x)
		}
		c.stages[at] = s
	}
	s.outputs = append(s.outputs, b.output)
	c.writers[b.output] = append(c.writers[b.output], s)
	for _, side := range b.sides {
		if i, found := slices.BinarySearch(s.sides, side); !found {
			s.sides = slices.Insert(s.sides, i, side)
			c.follow(s, side)
		}
	}
	if len(c.stages) > maxStages || c.looked > maxLooked {
		return fmt.Errorf("job %s has too many operators that read other datasets as a whole: write what they read in jobs of its own", c.graph.Job)
	}
	return nil
}

// follow makes those that write an exchange the parents of a stage.
func (c *cutter) follow(s *draft, exchange int) {
	s.parents = append(s.parents, c.writers[exchange]...)
	c.looked += len(c.writers[exchange])
}

// passOf returns the first pass of a root that no side depends on, nor on a later one. A thin stage reads apart
// from the others, so it counts for thin ones alone.
func (c *cutter) passOf(at reading, sides []int) int {
	c.walk++
	pass := 0
	var todo []*draft
	for _, side := range sides {
		todo = append(todo, c.writers[side]...)
	}
	for ; len(todo) > 0 && c.looked <= maxLooked; c.looked++ {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.walked == c.walk {
			continue
		}
		s.walked = c.walk
		if s.root == at.root && s.thin == at.thin {
			pass = max(pass, s.pass+1)
		}
		todo = append(todo, s.parents...)
	}
	return pass
}

// number brings the stages into their order.
func (c *cutter) number() ([]Stage, error) {
	drafts := slices.SortedFunc(maps.Values(c.stages), byReading)
	c.fused = 0 // a node that stands in several passes counts in each
	stages := make([]Stage, 0, len(drafts))
	for _, s := range drafts {
		var err error
		if stages, err = c.add(stages, s); err != nil {
			return nil, err
		}
	}
	return stages, nil
}

func byReading(a, b *draft) int {
	return cmp.Or(cmp.Compare(a.root, b.root), cmp.Compare(a.pass, b.pass), thinFirst(a.thin, b.thin))
}

func thinFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}

// add appends a stage to those that are numbered, after its parents.
func (c *cutter) add(stages []Stage, s *draft) (_ []Stage, err error) {
	if s.numbered {
		return stages, nil
	}
	s.numbered = true
	slices.SortFunc(s.parents, byReading)
	s.parents = slices.Compact(s.parents)
	var parents []int
	for _, p := range s.parents {
		if stages, err = c.add(stages, p); err != nil {
			return nil, err
		}
		parents = append(parents, p.id)
	}
	slices.Sort(parents)
	s.id = len(stages)
	nodes := c.nodesOf(s)
	return append(stages, Stage{
		ID: s.id, Root: s.root, Pass: s.pass, Thin: s.thin, Nodes: nodes, Outputs: s.outputs, Sides: s.sides, Parents: parents,
	}), c.fuse(len(nodes))
}

// nodesOf returns the nodes of a stage in the order of Stage.Nodes: what lies on the ways from its root to its outputs.
func (c *cutter) nodesOf(s *draft) []int {
	within := make(map[int]bool)
	for todo := slices.Clone(s.outputs); len(todo) > 0; {
		last := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, in := range c.graph.Nodes[last].Inputs {
			if _, reached := slices.BinarySearch(c.reached[s.root], in); reached && !within[in] {
				within[in] = true
				todo = append(todo, in)
			}
		}
	}
	nodes := []int{s.root}
	for _, id := range c.reached[s.root] {
		if within[id] {
			nodes = append(nodes, id)
		}
	}
	return append(nodes, s.outputs...)
}
