package engine_test

import (
	"context"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fletch/engine"
	"fletch/local"
)

// TestShapes moves records of unusual shapes through a shuffle, as records, as keys and as values, and wants them back.
func TestShapes(t *testing.T) {
	t.Run("nothing", func(t *testing.T) { throughShuffles(t, struct{}{}, struct{}{}, struct{}{}) })
	t.Run("an array of nothing", func(t *testing.T) { throughShuffles(t, [3]struct{}{}, [3]struct{}{}) })
	t.Run("slices of nothing", func(t *testing.T) {
		throughShuffles(t, []struct{}{}, []struct{}{{}}, []struct{}{{}, {}}, []struct{}{{}})
	})
	type withNothing struct {
		N    int
		None struct{}
	}
	t.Run("nothing at the end", func(t *testing.T) { throughShuffles(t, withNothing{N: 1}, withNothing{N: 2}, withNothing{N: 1}) })
	t.Run("nothing inside", func(t *testing.T) {
		throughShuffles(t, []withNothing{{N: 1}}, []withNothing{}, []withNothing{{N: 2}, {N: 3}})
	})
	t.Run("value of nothing", func(t *testing.T) {
		throughShuffles(t, engine.Pair("a", struct{}{}), engine.Pair("", struct{}{}), engine.Pair("a", struct{}{}))
	})
	t.Run("maybe nothing", func(t *testing.T) {
		throughShuffles(t, engine.Optional[struct{}]{}, engine.Some(struct{}{}), engine.Optional[struct{}]{})
	})
	t.Run("long keys", func(t *testing.T) {
		long := strings.Repeat("long ", 100_000)
		throughShuffles(t, long, long+"!", "", long, "short")
	})
	t.Run("large arrays", func(t *testing.T) { throughShuffles(t, [4096]int32{1}, [4096]int32{4095: 2}) })
	t.Run("empty slices", func(t *testing.T) { throughShuffles(t, []string{}, []string{""}, []string{"", ""}) })
	t.Run("bools", func(t *testing.T) { throughShuffles(t, true, false, true) })
	t.Run("times", func(t *testing.T) { throughShuffles(t, time.Time{}, time.Unix(1<<40, 1).UTC()) })
}

// throughShuffles holds what comes of the records against what went in.
func throughShuffles[T any](t *testing.T, records ...T) {
	t.Helper()
	count := func(in []T, v T) (n int64) {
		for _, r := range in {
			if reflect.DeepEqual(r, v) {
				n++
			}
		}
		return n
	}
	same := func(what string, got []T) {
		t.Helper()
		if len(got) != len(records) {
			t.Errorf("%s: %d records, want %d", what, len(got), len(records))
		}
		for _, r := range records {
			if count(got, r) != count(records, r) {
				t.Errorf("%s: %.40v is there %d times, want %d", what, r, count(got, r), count(records, r))
			}
		}
	}
	job := engine.NewJob("test")
	in := engine.FromSlice(job, records)
	same("collected", collectWith(t, in))
	same("dealt out", collectWith(t, engine.Repartition(in, 3)))
	for _, kv := range collectWith(t, engine.Count(in)) {
		if want := count(records, kv.Key); kv.Value != want {
			t.Errorf("%.40v counts %d, want %d", kv.Key, kv.Value, want)
		}
	}
	byNumber := engine.KeyBy(in, func(T) int { return 1 })
	same("values of a group", collectWith(t, engine.GroupByKey(byNumber, func(_ int, values iter.Seq[T]) iter.Seq[T] { return values })))
	lists := engine.GroupByKey(byNumber, func(_ int, values iter.Seq[T]) iter.Seq[[]T] { return slices.Values([][]T{slices.Collect(values)}) })
	same("list", slices.Concat(collectWith(t, engine.Repartition(lists, 2))...))
	last := collectWith(t, engine.Reduce(byNumber, func(_, b T) T { return b }))
	if len(last) != 1 || !reflect.DeepEqual(last[0].Value, records[len(records)-1]) {
		t.Errorf("Reduce to the last record gives %.40v", last)
	}
	some := engine.Map(in, engine.Some[T])
	for _, o := range collectWith(t, engine.Repartition(some, 1)) {
		if !o.Valid || count(records, o.Value) == 0 {
			t.Errorf("an optional record came back as %.40v", o)
		}
	}
}

func collectWith[T any](t *testing.T, in engine.Dataset[T]) []T {
	t.Helper()
	got, err := local.CollectWith(context.Background(), in, local.Config{Partitions: 3})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
