package engine

import (
	"iter"

	"fletch/engine/batch"
	"fletch/engine/exec"
	"fletch/engine/plan"
)

// Joined is what records of two sides with the same key have besides that.
type Joined[L, R any] struct {
	Left  L `fletch:"left"`
	Right R `fletch:"right"`
}

// Join returns each record of left with each record of right that has the same key. Keys are equal as they are in a keyed
// operator: NaN equals itself, -0 equals 0.
//
// The smaller side of each partition is held in memory while the other one streams past it; where neither fits, both are
// sorted on disk. If the result is shuffled again, and one side turns out to be small as a whole, every task reads all of it
// and the other side is not shuffled for the join. One key may have any number of records on both sides. The order of the
// result has no meaning, here and in the other joins.
func Join[K, V, W any](left Dataset[KV[K, V]], right Dataset[KV[K, W]]) Dataset[KV[K, Joined[V, W]]] {
	return join(left, right, "Join", func(j *exec.Join[K, V, W], out func(KV[K, Joined[V, W]]) bool) {
		j.Pair = func(k K, v V, w W) bool { return out(Pair(k, Joined[V, W]{v, w})) }
	})
}

// LeftJoin is Join with the records of left as well whose key right lacks.
func LeftJoin[K, V, W any](left Dataset[KV[K, V]], right Dataset[KV[K, W]]) Dataset[KV[K, Joined[V, Optional[W]]]] {
	return join(left, right, "LeftJoin", func(j *exec.Join[K, V, W], out func(KV[K, Joined[V, Optional[W]]]) bool) {
		j.Pair = func(k K, v V, w W) bool { return out(Pair(k, Joined[V, Optional[W]]{v, Some(w)})) }
		j.LeftAlone = func(k K, v V) bool { return out(Pair(k, Joined[V, Optional[W]]{Left: v})) }
	})
}

// RightJoin is Join with the records of right as well whose key left lacks.
func RightJoin[K, V, W any](left Dataset[KV[K, V]], right Dataset[KV[K, W]]) Dataset[KV[K, Joined[Optional[V], W]]] {
	return join(left, right, "RightJoin", func(j *exec.Join[K, V, W], out func(KV[K, Joined[Optional[V], W]]) bool) {
		j.Pair = func(k K, v V, w W) bool { return out(Pair(k, Joined[Optional[V], W]{Some(v), w})) }
		j.RightAlone = func(k K, w W) bool { return out(Pair(k, Joined[Optional[V], W]{Right: w})) }
	})
}

// FullJoin is Join with the records of either side as well whose key the other one lacks.
func FullJoin[K, V, W any](left Dataset[KV[K, V]], right Dataset[KV[K, W]]) Dataset[KV[K, Joined[Optional[V], Optional[W]]]] {
	return join(left, right, "FullJoin", func(j *exec.Join[K, V, W], out func(KV[K, Joined[Optional[V], Optional[W]]]) bool) {
		j.Pair = func(k K, v V, w W) bool { return out(Pair(k, Joined[Optional[V], Optional[W]]{Some(v), Some(w)})) }
		j.LeftAlone = func(k K, v V) bool { return out(Pair(k, Joined[Optional[V], Optional[W]]{Left: Some(v)})) }
		j.RightAlone = func(k K, w W) bool { return out(Pair(k, Joined[Optional[V], Optional[W]]{Right: Some(w)})) }
	})
}

// SemiJoin returns each record of left, once, whose key right has.
func SemiJoin[K, V, W any](left Dataset[KV[K, V]], right Dataset[KV[K, W]]) Dataset[KV[K, V]] {
	return join(left, right, "SemiJoin", func(j *exec.Join[K, V, W], out func(KV[K, V]) bool) {
		j.Matched = func(k K, v V) bool { return out(Pair(k, v)) }
	})
}

// AntiJoin returns each record of left whose key right lacks.
func AntiJoin[K, V, W any](left Dataset[KV[K, V]], right Dataset[KV[K, W]]) Dataset[KV[K, V]] {
	return join(left, right, "AntiJoin", func(j *exec.Join[K, V, W], out func(KV[K, V]) bool) {
		j.LeftAlone = func(k K, v V) bool { return out(Pair(k, v)) }
	})
}

// CoGroup calls f with each key that stands on either side and its values on both, in the order in which these stand in the
// input, and returns the elements of f's sequences. A side that lacks the key has no values. The values stream and can be
// ranged over once.
func CoGroup[K, V, W, U any](
	left Dataset[KV[K, V]], right Dataset[KV[K, W]], f func(K, iter.Seq[V], iter.Seq[W]) iter.Seq[U], opts ...Option,
) Dataset[U] {
	out := meet(left, right, "CoGroup", opts, func(m meeting[K, V, W], out func(U) bool) error {
		groups := exec.CoGroup[K, V, W]{Node: m.node, Left: m.left, Right: m.right, Keyer: m.keyer, Ordered: m.ordered}
		return groups.Run(m.task, m.lefts, m.rights, func(k K, vs iter.Seq[V], ws iter.Seq[W]) bool {
			m.task.Enter(m.node)
			for u := range f(k, vs, ws) {
				if !out(u) {
					return false
				}
				m.task.Enter(m.node)
			}
			return true
		})
	})
	left.job.ops[out.node].Order = plan.UsesOrder
	left.job.require(out.node, f != nil, "the function is nil")
	return out
}

// join adds a join. Want says what is handed on to out.
func join[K, V, W, U any](
	left Dataset[KV[K, V]], right Dataset[KV[K, W]], name string, want func(j *exec.Join[K, V, W], out func(U) bool),
) Dataset[U] {
	of := func(m meeting[K, V, W], out func(U) bool) *exec.Join[K, V, W] {
		j := &exec.Join[K, V, W]{Node: m.node, Left: m.left, Right: m.right, Keyer: m.keyer}
		want(j, func(u U) bool {
			m.task.Enter(m.node)
			return out(u)
		})
		return j
	}
	out := meet(left, right, name, []Option{Unordered()}, func(m meeting[K, V, W], out func(U) bool) error {
		return of(m, out).Run(m.task, m.lefts, m.rights)
	})
	leftCodec, keyer, errLeft := keyedTypes[K, V]()
	rightCodec, _, errRight := keyedTypes[K, W]()
	if errLeft != nil || errRight != nil {
		return out // the exchanges have told
	}
	op := left.job.ops[out.node]
	op.Order = plan.LosesOrder
	op.Lookup = lookups(want)
	op.Beside = func(t *exec.Task, input int, to any) exec.Stream {
		j := of(meeting[K, V, W]{task: t, node: op.ID, left: leftCodec, right: rightCodec, keyer: keyer}, to.(func(U) bool))
		if input == 0 {
			return j.LeftBeside(t, op.Inputs[1])
		}
		return j.RightBeside(t, op.Inputs[0])
	}
	return out
}

// lookups returns the inputs of a join that tasks may each read whole, as each record of the other one is seen by one task.
func lookups[K, V, W, U any](want func(j *exec.Join[K, V, W], out func(U) bool)) (inputs []int) {
	var j exec.Join[K, V, W]
	want(&j, nil)
	if j.Matched == nil && j.LeftAlone == nil {
		inputs = append(inputs, 0)
	}
	if j.RightAlone == nil {
		inputs = append(inputs, 1)
	}
	return inputs
}

// meeting is one partition of two datasets, which the node at hand reads side by side.
type meeting[K, V, W any] struct {
	task          *exec.Task
	node          int
	lefts, rights exec.Source
	left          *batch.Codec[KV[K, V]]
	right         *batch.Codec[KV[K, W]]
	keyer         func() *batch.Keyer[K]
	ordered       bool
}

// meet adds the two exchanges that bring the records of a key together, and the node where they meet.
func meet[K, V, W, U any](
	left Dataset[KV[K, V]], right Dataset[KV[K, W]], name string, opts []Option, run func(m meeting[K, V, W], out func(U) bool) error,
) Dataset[U] {
	lefts := scatter(left, name+".left", opts)
	rights := scatter(right, name+".right", opts)
	op := &exec.Operator{Node: plan.Node{Kind: plan.Meet, Op: name, Inputs: []int{lefts.node, rights.node}}}
	out := add[U](left.job, op)
	left.job.require(op.ID, right.job == left.job, "its two datasets belong to different jobs")
	_, keyer, err := keyedTypes[K, V]()
	if err != nil {
		return out // the exchanges have told
	}
	ordered := left.job.ops[lefts.node].Exchange.Ordered
	op.Meet = func(t *exec.Task, l, r exec.Source, to any) error {
		return run(meeting[K, V, W]{t, op.ID, l, r, lefts.codec, rights.codec, keyer, ordered}, to.(func(U) bool))
	}
	return out
}

// scatter adds the exchange that brings the records of a key together, for a node that reads it beside another one.
func scatter[K, V any](in Dataset[KV[K, V]], name string, opts []Option) Dataset[KV[K, V]] {
	codec, keyer, err := keyedTypes[K, V]()
	out := exchange[KV[K, V]](in.job, in.node, name, plan.Shuffle{Partitioning: plan.ByHash, Ordered: true}, opts, err)
	op := in.job.ops[out.node]
	op.Write = func(t *exec.Task, port exec.Port, partitions int) exec.Stream {
		return exec.Scatter(t, out.node, port, partitions, codec, keyer(), parts[K, V])
	}
	op.Moved = schemaOf(codec)
	return out
}
