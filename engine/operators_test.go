package engine

import (
	"iter"
	"slices"
	"testing"

	"fletch/engine/plan"
)

// TestOrderOfOperators checks what each operator says about order.
func TestOrderOfOperators(t *testing.T) {
	type point struct{ X, Y float32 }
	job := NewJob("order")
	ints := KeyBy(Range(job, 0, 1), func(i int64) int64 { return i })
	floats := Map(ints, func(kv KV[int64, int64]) KV[int64, float64] { return Pair(kv.Key, 0.5) })
	points := Map(ints, func(kv KV[int64, int64]) KV[int64, []point] { return Pair(kv.Key, []point{{}}) })
	values := func(_ int64, in iter.Seq[int64]) iter.Seq[int64] { return in }
	key := Asc(func(kv KV[int64, int64]) int64 { return kv.Key })
	want := map[int]plan.Order{
		ints.node: plan.KeepsOrder, floats.node: plan.KeepsOrder,
		Filter(ints, func(KV[int64, int64]) bool { return true }).node: plan.KeepsOrder,
		Union(ints, ints).node:        plan.KeepsOrder,
		SortBy(ints, key).node:        plan.KeepsOrder,
		Sample(ints, 0.5, 1).node:     plan.UsesOrder,
		Repartition(ints, 2).node:     plan.UsesOrder,
		TopN(ints, 2, key).node:       plan.UsesOrder,
		GroupByKey(ints, values).node: plan.UsesOrder,
		Join(ints, ints).node:         plan.LosesOrder,
		FullJoin(ints, ints).node:     plan.LosesOrder,
		AntiJoin(ints, ints).node:     plan.LosesOrder,
		Count(ints).node:              plan.MakesOrder,
		Distinct(floats).node:         plan.MakesOrder,
		Max(floats).node:              plan.MakesOrder,
		Sum(ints).node:                plan.MakesOrder,
		Sum(floats).node:              plan.Rounds,
		Mean(ints).node:               plan.Rounds,
		Reduce(ints, func(a, _ int64) int64 { return a }).node:                     plan.UsesOrder,
		Reduce(points, func(a, b []point) []point { return append(a, b...) }).node: plan.Rounds,
		CoGroup(ints, ints, func(int64, iter.Seq[int64], iter.Seq[int64]) iter.Seq[int64] {
			return slices.Values([]int64(nil))
		}).node: plan.UsesOrder,
	}
	for node, order := range want {
		if op := job.ops[node]; op.Order != order {
			t.Errorf("%s (%s) has order %d, want %d", op.Op, op.Site, op.Order, order)
		}
	}
	for _, op := range job.ops {
		if op.Op == "SortBy.sample" && op.Order != plan.UsesOrder {
			t.Errorf("%s has order %d", op.Op, op.Order)
		}
	}
}
