package engine

import (
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
// sorted on disk. One key may have any number of records on both sides. The order of the result has no meaning, here and
// in the other joins.
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

// join adds the two exchanges of a join and the node where they meet. Want says what is handed on to out.
func join[K, V, W, U any](left Dataset[KV[K, V]], right Dataset[KV[K, W]], name string, want func(j *exec.Join[K, V, W], out func(U) bool)) Dataset[U] {
	lefts := scatter(left, name+".left")
	rights := scatter(right, name+".right")
	op := &exec.Operator{Node: plan.Node{Kind: plan.Meet, Op: name, Inputs: []int{lefts.node, rights.node}}}
	out := add[U](left.job, op)
	left.job.require(op.ID, right.job == left.job, "its two datasets belong to different jobs")
	_, keyer, err := keyedTypes[K, V]()
	if err != nil {
		return out // the exchanges have told
	}
	op.Meet = func(t *exec.Task, l, r exec.Source, to any) error {
		j := exec.Join[K, V, W]{Node: op.ID, Left: lefts.codec, Right: rights.codec, Keyer: keyer}
		feed := to.(func(U) bool)
		want(&j, func(u U) bool {
			t.Enter(op.ID)
			return feed(u)
		})
		return j.Run(t, l, r)
	}
	return out
}

// scatter adds the exchange that brings the records of a key together, for a node that reads it beside another one.
func scatter[K, V any](in Dataset[KV[K, V]], name string) Dataset[KV[K, V]] {
	codec, keyer, err := keyedTypes[K, V]()
	out := exchange[KV[K, V]](in.job, in.node, name, plan.Shuffle{Partitioning: plan.ByHash}, nil, err)
	op := in.job.ops[out.node]
	op.Write = func(t *exec.Task, port exec.Port, partitions int) exec.Stream {
		return exec.Scatter(t, out.node, port, partitions, codec, keyer(), parts[K, V])
	}
	op.Moved = schemaOf(codec)
	return out
}
