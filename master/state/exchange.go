package state

import (
	"cmp"
	"slices"

	"fletch/engine/plan"
)

// exchange is a snapshot of what stages write for others.
type exchange struct {
	node    int
	readers []int // the stages that read it, whole or partition by partition; never changes
	// bytes is what was written, by partition; empty before the first commit. A task counts once: what a second winner
	// writes after a loss is most often the same but for compression, and a plan must not depend on it. Once the job has ended it is
	// the sum alone.
	bytes []int64
}

// exchangesOf returns the exchanges of a job's stages.
func exchangesOf(g *plan.Graph, stages []*Stage) []exchange {
	readers := make(map[int][]int)
	for _, s := range stages {
		for _, out := range s.Outputs {
			if g.Nodes[out].Kind == plan.Exchange && readers[out] == nil {
				readers[out] = []int{}
			}
		}
		for _, x := range s.Reads(g) {
			readers[x] = append(readers[x], s.ID)
		}
	}
	var exchanges []exchange
	for x, ids := range readers {
		exchanges = append(exchanges, exchange{node: x, readers: ids})
	}
	slices.SortFunc(exchanges, func(a, b exchange) int { return cmp.Compare(a.node, b.node) })
	return exchanges
}

// exchange returns where the exchange of a node stands in j.exchanges. A stage writes it.
func (j *Job) exchange(node int) int {
	i, _ := slices.BinarySearchFunc(j.exchanges, node, func(x exchange, node int) int { return cmp.Compare(x.node, node) })
	return i
}

// measure adds what a task wrote to the sizes of the exchanges' partitions.
func (j *Job) measure(outputs []plan.ShuffleOutput) *Job {
	if len(outputs) == 0 {
		return j
	}
	after := *j
	after.exchanges = slices.Clone(j.exchanges)
	for _, out := range outputs {
		x := &after.exchanges[j.exchange(out.Exchange)]
		bytes := slices.Clone(out.Bytes)
		for p, b := range x.bytes {
			bytes[p] += b
		}
		x.bytes = bytes
	}
	return &after
}
