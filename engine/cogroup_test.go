package engine_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"

	"fletch/engine"
	"fletch/local"
)

// TestCoGroup sees keys of either side in increasing order, with the values of both in theirs.
func TestCoGroup(t *testing.T) {
	job := engine.NewJob("cogroup")
	left := engine.FromSlice(job, []engine.KV[string, int]{engine.Pair("b", 1), engine.Pair("a", 2), engine.Pair("b", 3)})
	right := engine.FromSlice(job, []engine.KV[string, string]{engine.Pair("c", "x"), engine.Pair("b", "y")})
	groups := engine.CoGroup(left, right, func(k string, vs iter.Seq[int], ws iter.Seq[string]) iter.Seq[string] {
		return func(yield func(string) bool) { yield(fmt.Sprint(k, slices.Collect(vs), slices.Collect(ws))) }
	})
	got, err := local.CollectWith(t.Context(), groups, local.Config{Partitions: 1})
	if want := []string{"a[2] []", "b[1 3] [y]", "c[] [x]"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
