package engine

import (
	"iter"

	"fletch/engine/exec"
	"fletch/engine/plan"
)

// Broadcast calls f with each record and all records of small, in the order of small's parts, and returns the elements of
// f's sequences. Every task keeps small in memory, so that nothing else has to be moved: it is for tables that are looked up.
// All calls of a task get the same slice: f must not change it, and may keep its records. Small may be made of in itself,
// which is then read twice.
func Broadcast[T, B, U any](in Dataset[T], small Dataset[B], f func(rec T, small []B) iter.Seq[U]) Dataset[U] {
	moved := exchange[B](in.job, small.node, "Broadcast.small", plan.Shuffle{Partitioning: plan.ByNothing, Partitions: 1}, nil)
	side := in.job.ops[moved.node]
	side.Moved = schemaOf(moved.codec)
	side.Write = func(t *exec.Task, port exec.Port, partitions int) exec.Stream {
		return exec.Spread(t, side.ID, port, moved.codec, partitions)
	}
	out := narrow(in, "Broadcast", f != nil, func(t *exec.Task, node int, to func(U) bool) exec.Stream {
		var all []B
		known := false
		return exec.Stream{Consume: exec.FlatMap(t, node, func(rec T) iter.Seq[U] {
			if !known {
				all, known = exec.Whole(t, side.ID, moved.codec), true
			}
			return f(rec, all)
		}, to)}
	})
	in.job.ops[out.node].Sides = []int{side.ID}
	in.job.require(out.node, small.job == in.job, "the small dataset belongs to another job")
	return out
}
