package plan

import (
	"fmt"
	"slices"
)

// maxFused caps the nodes of all stages together: a node below a union of many roots stands in a stage of each.
const maxFused = 1_000_000

// Stages cuts a valid graph at its exchanges: one stage for each source and each exchange, in the order of the roots'
// nodes, so that a stage's parents stand before it. Nodes that reach no sink are left out: what nobody writes is
// neither computed nor read. The stages' numbers of partitions are still open: see Partitions.
func Stages(g *Graph) ([]Stage, error) {
	users := liveUsers(g)
	var stages []Stage
	writers := make(map[int][]int, len(g.Nodes)) // by exchange: the stages that write it
	fused := 0
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if users[i] == nil || n.Kind != Source && n.Kind != Exchange {
			continue
		}
		s := Stage{ID: len(stages), Root: i, Parents: writers[i]}
		s.Nodes, s.Outputs = fuse(g, users, i)
		for _, out := range s.Outputs {
			if g.Nodes[out].Kind == Exchange {
				writers[out] = append(writers[out], s.ID)
			}
		}
		if fused += len(s.Nodes); fused > maxFused {
			return nil, fmt.Errorf("job %s unites too many sources: its stages have more than %d operators in all", g.Job, maxFused)
		}
		stages = append(stages, s)
	}
	return stages, nil
}

// liveUsers returns the users of each node that lead to a sink, in increasing order. It is nil where there are none;
// a sink's own is empty, not nil.
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
		for _, in := range n.Inputs {
			// Users come in decreasing order, so a repeated input (the union of a dataset with itself) is the last one.
			if have := users[in]; len(have) == 0 || have[len(have)-1] != i {
				users[in] = append(have, i)
			}
		}
	}
	return users
}

// fuse returns the nodes of the stage of root, in the order of Stage.Nodes, and those among them that it writes.
func fuse(g *Graph, users [][]int, root int) (nodes, outputs []int) {
	seen := make(map[int]bool)
	todo := []int{root}
	for len(todo) > 0 {
		last := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, u := range users[last] {
			if seen[u] {
				continue
			}
			seen[u] = true
			switch g.Nodes[u].Kind {
			case Exchange, Sink:
				outputs = append(outputs, u)
			default:
				nodes = append(nodes, u)
				todo = append(todo, u)
			}
		}
	}
	slices.Sort(nodes)
	slices.Sort(outputs)
	nodes = append([]int{root}, nodes...)
	return append(nodes, outputs...), outputs
}
