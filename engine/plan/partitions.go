package plan

import (
	"fmt"
	"slices"
)

const (
	// partitionBytes is how much estimated input makes one more partition: small enough that one partition's table
	// or sort fits an attempt's share of memory, large enough that its fixed costs vanish.
	partitionBytes = 32 << 20
	// rangeBytes is partitionBytes where partitions are ranges, which are sorted: that takes all their records, and a list of
	// them, at once, and partitions that memory holds are neither written again nor read.
	rangeBytes = 16 << 20
	// maxOwnPartitions ends the growth with the input: beyond it blocks become small and many. Who wants more asks.
	maxOwnPartitions = 1024
)

// Partitions returns the stages with the number of partitions of what they read and write. Of an exchange it is, in this
// order: what the exchange says; one, where everything goes into one; the user's setting; one for each 32 MiB of the
// estimated bytes of the sources above, for each 16 MiB where partitions are ranges, from 1 to 1024. Two exchanges that meet have as many as one that had the sources of
// both above it. And it adds the stages of joins that may look up one of their inputs (see Stage.If), so that numbers of stages
// are others than those of Stages. It uses facts.Splits and facts.Partitions alone, which are fixed at submission, as a job's part files
// follow from it.
func Partitions(g *Graph, stages []Stage, facts Facts) ([]Stage, error) {
	if facts.Partitions < 0 || facts.Partitions > MaxPartitions {
		return nil, fmt.Errorf("%d partitions: it takes 1 to %d, or 0 to follow the input's size", facts.Partitions, MaxPartitions)
	}
	above, err := bytesAbove(g, stages, &facts)
	if err != nil {
		return nil, err
	}
	counts := make([]int, len(g.Nodes)) // by exchange
	for i := range g.Nodes {
		switch n := &g.Nodes[i]; n.Kind {
		case Exchange:
			counts[i] = partitions(n.Exchange, facts.Partitions, above[i])
		case Meet:
			for _, in := range n.Inputs {
				counts[in] = partitions(g.Nodes[in].Exchange, facts.Partitions, above[i])
			}
		}
	}
	stages = slices.Clone(stages)
	for i := range stages {
		s := &stages[i]
		for _, in := range s.Inputs(g) {
			s.Partitions = counts[in]
		}
		s.OutputPartitions = make([]int, len(s.Outputs))
		for k, out := range s.Outputs {
			s.OutputPartitions[k] = counts[out]
		}
	}
	return forks(g, stages, above), nil
}

// bytesAbove returns by exchange and meet the estimated bytes of the sources that its records come from, each source once.
func bytesAbove(g *Graph, stages []Stage, facts *Facts) ([]int64, error) {
	bytes := make(map[int]int64) // by source that is read
	for i := range stages {
		n := &g.Nodes[stages[i].Root]
		if n.Kind != Source {
			continue
		}
		splits, err := facts.splits(n)
		if err != nil {
			return nil, err
		}
		bytes[n.ID] = bytesOf(splits)
	}
	above := make([][]int, len(g.Nodes)) // by node: the sources
	totals := make([]int64, len(g.Nodes))
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Kind == Source {
			above[i] = []int{i}
		}
		for _, in := range n.Inputs {
			above[i] = union(above[i], above[in])
		}
		if n.Kind == Exchange || n.Kind == Meet {
			for _, source := range above[i] {
				totals[i] = addCapped(totals[i], bytes[source])
			}
		}
	}
	return totals, nil
}

// partitions decides for one exchange with estimated bytes above it.
func partitions(x *Shuffle, setting int, bytes int64) int {
	switch {
	case x.Partitions > 0:
		return x.Partitions
	case x.Partitioning == ByNothing:
		return 1
	case setting > 0:
		return setting
	case x.Partitioning == ByRange:
		return int(min(max(ceilDiv(bytes, rangeBytes), 1), maxOwnPartitions))
	default:
		return int(min(max(ceilDiv(bytes, partitionBytes), 1), maxOwnPartitions))
	}
}

// ceilDiv divides a by b, neither negative, and rounds up without overflow.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
