package engine

import (
	"fletch/engine/exec"
	"fletch/engine/plan"
)

// SortBy returns the records in the given order: SortBy(orders, Desc(amount), Asc(name)). The order is total: all records
// of a partition, and so of a part file, come before those of the next one. Equal records keep the order of the input.
//
// How the records are spread over the partitions follows from a sample, for which a part of the input is read, and the
// operators before SortBy run, once more: a few percent of a large file, all of what other operators have shuffled unless
// it has many partitions. Many equal records share several partitions.
func SortBy[T any](in Dataset[T], orders ...Order[T]) Dataset[T] {
	wrong := checkOrder(orders)
	samples := exchange[exec.Sampled](in.job, in.node, "SortBy.sample", plan.Shuffle{Partitioning: plan.ByNothing, Partitions: 1, Thin: true}, nil, wrong)
	bounds := exchange[exec.Bound](in.job, samples.node, "SortBy.bounds", plan.Shuffle{Partitioning: plan.ByNothing, Partitions: 1}, nil)
	sorted := exchange[T](in.job, in.node, "SortBy", plan.Shuffle{Partitioning: plan.ByRange, Ordered: true}, nil, wrong)
	j := in.job

	op := j.ops[samples.node]
	op.Order = plan.UsesOrder
	op.Moved = schemaOf(samples.codec)
	op.Write = func(t *exec.Task, port exec.Port, _ int) exec.Stream {
		return exec.WriteSample(t, samples.node, sorted.node, port, samples.codec, orderKey(t, samples.node, orders))
	}
	op.Pull = func(t *exec.Task, src exec.Source, to any) error {
		return exec.Bounds(t, samples.node, src, samples.codec, t.Partitions(sorted.node), to.(func(exec.Bound) bool))
	}

	op = j.ops[bounds.node]
	op.Moved = schemaOf(bounds.codec)
	op.Write = func(t *exec.Task, port exec.Port, _ int) exec.Stream {
		return exec.Spread(t, bounds.node, port, bounds.codec, 1)
	}

	op = j.ops[sorted.node]
	op.Sides = []int{bounds.node}
	op.Moved = schemaOf(in.codec)
	op.Write = func(t *exec.Task, port exec.Port, _ int) exec.Stream {
		return exec.WriteRanges(t, sorted.node, port, in.codec, orderKey(t, sorted.node, orders), exec.Whole(t, bounds.node, bounds.codec))
	}
	op.Pull = func(t *exec.Task, src exec.Source, to any) error {
		return exec.Sort(t, sorted.node, src, in.codec, orderKey(t, sorted.node, orders), to.(func(T) bool))
	}
	return sorted
}
