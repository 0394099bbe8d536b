package local_test

import (
	"iter"
	"slices"
	"strings"
	"testing"

	"fletch/engine"
	"fletch/local"
)

// TestLargeRecordsInLeastMemory has large records come behind many small ones, so that a number of rows, chosen after the small
// ones, is more than the memory holds of the large ones.
func TestLargeRecordsInLeastMemory(t *testing.T) {
	const small, large, bytes = 20_000, 300, 150 << 10
	text := func(i int64) string {
		letter := string(rune('a' + i%26))
		if i < small {
			return letter
		}
		return strings.Repeat(letter, bytes+int(i))
	}
	identity := func(s string) string { return s }
	for name, build := range map[string]func(engine.Dataset[string]) engine.Dataset[int]{
		"sort": func(in engine.Dataset[string]) engine.Dataset[int] {
			return engine.Map(engine.SortBy(in, engine.Asc(identity)), func(s string) int { return len(s) })
		},
		"count": func(in engine.Dataset[string]) engine.Dataset[int] {
			return engine.FlatMap(engine.Count(in), func(kv engine.KV[string, int64]) iter.Seq[int] {
				return slices.Values(slices.Repeat([]int{len(kv.Key)}, int(kv.Value)))
			})
		},
		"group": func(in engine.Dataset[string]) engine.Dataset[int] {
			keyed := engine.Map(in, func(s string) engine.KV[string, string] { return engine.Pair(s[:1], s) })
			return engine.GroupByKey(keyed, func(_ string, vs iter.Seq[string]) iter.Seq[int] {
				return func(yield func(int) bool) {
					for v := range vs {
						if !yield(len(v)) {
							return
						}
					}
				}
			})
		},
		"repartition": func(in engine.Dataset[string]) engine.Dataset[int] {
			return engine.Map(engine.Repartition(in, 3), func(s string) int { return len(s) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			job := engine.NewJob("large")
			lens, err := local.CollectWith(t.Context(), build(engine.Map(engine.Range(job, 0, small+large), text)), local.Config{
				MemoryBytes: leastMemory, TempDir: t.TempDir(), Partitions: 2,
			})
			if err != nil {
				t.Fatal(err)
			}
			var want []int
			for i := range int64(small + large) {
				want = append(want, len(text(i)))
			}
			slices.Sort(lens)
			slices.Sort(want)
			if !slices.Equal(lens, want) {
				t.Errorf("%d records of other lengths than the %d expected", len(lens), len(want))
			}
		})
	}
}
