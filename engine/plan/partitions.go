package plan

import (
	"fmt"
	"slices"
)

const (
	// partitionBytes is how much estimated input makes one more partition: small enough that one partition's table
	// or sort fits an attempt's share of memory, large enough that its fixed costs vanish.
	partitionBytes = 32 << 20
	// maxOwnPartitions ends the growth with the input: beyond it blocks become small and many. Who wants more asks.
	maxOwnPartitions = 1024
)

// Partitions returns the stages with the number of partitions of their exchanges. In this order it is: what the
// exchange says; one, where everything goes into one; the user's setting; one for each 32 MiB of the estimated bytes
// of the sources above, from 1 to 1024. It uses facts.Splits and facts.Partitions alone, which are fixed at submission,
// as a job's part files follow from it.
func Partitions(g *Graph, stages []Stage, facts Facts) ([]Stage, error) {
	if facts.Partitions < 0 || facts.Partitions > maxPartitions {
		return nil, fmt.Errorf("%d partitions: it takes 1 to %d, or 0 to follow the input's size", facts.Partitions, maxPartitions)
	}
	stages = slices.Clone(stages)
	bytes := make([]int64, len(stages))    // by stage, of its own source
	above := make([][]uint64, len(stages)) // by stage: the set of the source stages above it
	for i := range stages {
		s := &stages[i]
		above[i] = make([]uint64, (len(stages)+63)/64)
		n := &g.Nodes[s.Root]
		if n.Kind == Source {
			splits, err := facts.splits(n)
			if err != nil {
				return nil, err
			}
			for _, split := range splits {
				bytes[i] = addCapped(bytes[i], split.Bytes)
			}
			above[i][i/64] |= 1 << (i % 64)
			continue
		}
		for _, parent := range s.Parents {
			for w, set := range above[parent] {
				above[i][w] |= set
			}
		}
		var total int64
		for j := range i {
			if above[i][j/64]>>(j%64)&1 == 1 {
				total = addCapped(total, bytes[j])
			}
		}
		s.Partitions = partitions(n.Exchange, facts.Partitions, total)
	}
	return stages, nil
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
