package engine_test

import (
	"fmt"
	"slices"
	"testing"

	"fletch/engine"
	"fletch/local"
)

// collectText returns the records of a dataset as sorted text.
func collectText[T any](t *testing.T, in engine.Dataset[T], config local.Config) []string {
	t.Helper()
	got, err := local.CollectWith(t.Context(), in, config)
	if err != nil {
		t.Fatal(err)
	}
	text := make([]string, len(got))
	for i, rec := range got {
		text[i] = fmt.Sprint(rec)
	}
	slices.Sort(text)
	return text
}

// TestJoins runs each join over keys that stand on the left, on the right, on both sides and there twice.
func TestJoins(t *testing.T) {
	type kv = engine.KV[string, int]
	left := []kv{engine.Pair("both", 1), engine.Pair("left", 2), engine.Pair("both", 3), engine.Pair("once", 4)}
	right := []engine.KV[string, string]{{Key: "right", Value: "a"}, {Key: "both", Value: "b"}, {Key: "both", Value: "c"}, {Key: "once", Value: "d"}}
	pairs := []string{"{both {1 b}}", "{both {1 c}}", "{both {3 b}}", "{both {3 c}}", "{once {4 d}}"}
	sorted := func(lines ...string) []string { slices.Sort(lines); return lines }
	for _, partitions := range []int{1, 5} {
		config := local.Config{Partitions: partitions}
		sides := func() (engine.Dataset[kv], engine.Dataset[engine.KV[string, string]]) {
			job := engine.NewJob("join")
			return engine.FromSlice(job, left), engine.FromSlice(job, right)
		}
		l, r := sides()
		check := func(name string, got, want []string) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s with %d partitions:\ngot  %v\nwant %v", name, partitions, got, want)
			}
		}
		check("Join", collectText(t, engine.Join(l, r), config), pairs)
		check("LeftJoin", collectText(t, engine.LeftJoin(l, r), config), sorted(
			"{both {1 {b true}}}", "{both {1 {c true}}}", "{both {3 {b true}}}", "{both {3 {c true}}}", "{once {4 {d true}}}", "{left {2 { false}}}"))
		check("RightJoin", collectText(t, engine.RightJoin(l, r), config), sorted(
			"{both {{1 true} b}}", "{both {{1 true} c}}", "{both {{3 true} b}}", "{both {{3 true} c}}", "{once {{4 true} d}}", "{right {{0 false} a}}"))
		check("FullJoin", collectText(t, engine.FullJoin(l, r), config), sorted(
			"{both {{1 true} {b true}}}", "{both {{1 true} {c true}}}", "{both {{3 true} {b true}}}", "{both {{3 true} {c true}}}",
			"{once {{4 true} {d true}}}", "{left {{2 true} { false}}}", "{right {{0 false} {a true}}}"))
		check("SemiJoin", collectText(t, engine.SemiJoin(l, r), config), []string{"{both 1}", "{both 3}", "{once 4}"})
		check("AntiJoin", collectText(t, engine.AntiJoin(l, r), config), []string{"{left 2}"})
	}
}

// TestJoinWithItself joins a dataset with one that is made of it, and with itself.
func TestJoinWithItself(t *testing.T) {
	job := engine.NewJob("self")
	byLast := engine.KeyBy(engine.Range(job, 0, 1000), func(n int64) int64 { return n % 10 })
	counts := engine.Count(engine.Map(byLast, func(kv engine.KV[int64, int64]) int64 { return kv.Key }))
	got := collectText(t, engine.Filter(engine.Join(byLast, counts), func(kv engine.KV[int64, engine.Joined[int64, int64]]) bool {
		return kv.Value.Left < 3
	}), local.Config{})
	if want := []string{"{0 {0 100}}", "{1 {1 100}}", "{2 {2 100}}"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if pairs := collectText(t, engine.Join(byLast, byLast), local.Config{Partitions: 2}); len(pairs) != 10*100*100 {
		t.Errorf("%d pairs of a dataset with itself, want %d", len(pairs), 10*100*100)
	}
}
