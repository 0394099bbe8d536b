package plan

import "fmt"

// Settle returns the stages that a job runs, made of those of Stages: with their numbers of partitions, with the second ways
// of joins that may look up one of their inputs (see Stage.If; it gives stages other numbers), and with those marked whose
// output depends on order. It uses facts.Splits and facts.Partitions alone, which are fixed at submission, as a job's part
// files follow from it.
func Settle(g *Graph, stages []Stage, facts Facts) ([]Stage, error) {
	if facts.Partitions < 0 || facts.Partitions > MaxPartitions {
		return nil, fmt.Errorf("%d partitions: it takes 1 to %d, or 0 to follow the input's size", facts.Partitions, MaxPartitions)
	}
	above, err := bytesAbove(g, stages, &facts)
	if err != nil {
		return nil, err
	}
	stages = forks(g, settlePartitions(g, stages, facts.Partitions, above), above)
	markOrder(g, stages)
	return stages, nil
}
