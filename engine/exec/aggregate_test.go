package exec

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/batch"
)

// aggregateAll aggregates records that are each an accumulator already, and stops after some keys.
func aggregateAll[K, A any](t *Task, fold Fold[string, A], records []batch.KV[K, A], d drawn, stop int) (out []batch.KV[K, A], err error) {
	codec, keyer := codecOf[batch.KV[K, A]](nil), keyerOf[K]()
	x := Keyed[K, string, A]{Codec: codec, Keyer: keyer.Clone, Fold: fold}
	src := &recordsSource[batch.KV[K, A]]{arriving(t), codec, records, d.step}
	err = Aggregate(t, src, x, d.ordered, func(k K, acc *A) bool {
		out = append(out, batch.KV[K, A]{Key: k, Value: *acc})
		return len(out) < stop
	})
	return out, err
}

// TestAggregateBeyondMemory compares with a map, and what has no order with what comes out of memory.
func TestAggregateBeyondMemory(t *testing.T) {
	t.Run(numbers.name, func(t *testing.T) { aggregates(t, numbers, longest, 700<<10) })
	t.Run(texts.name, func(t *testing.T) { aggregates(t, texts, concat, 1<<20) })
	t.Run(places.name, func(t *testing.T) { aggregates(t, places, longest, 800<<10) })
}

func aggregates[K, A comparable](t *testing.T, keys keysOf[K], fold Fold[string, A], least int64) {
	spilled, unordered := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt, least)
		d.distinct = max(d.distinct, d.records/1000) // an accumulator is smaller than a share
		records := pairsOf(d.rng, keys, d.records, d.distinct)
		in := make([]batch.KV[K, A], len(records))
		for i, kv := range records {
			in[i].Key = kv.Key
			fold.Add(&in[i].Value, kv.Value, true)
		}
		var want []batch.KV[K, A]
		for _, g := range grouped(keyerOf[K](), records) {
			var acc A
			for i, v := range g.Value {
				fold.Add(&acc, v, i == 0)
			}
			want = append(want, batch.KV[K, A]{Key: g.Key, Value: acc})
		}
		if !d.ordered {
			err := attemptOf(t, &MemorySpill{}, 1<<40, new(int), func(task *Task) (err error) {
				inMemory, err := aggregateAll(task, fold, in, d, 1<<40)
				slices.SortFunc(want, byPosition(inMemory))
				return err
			})
			if err != nil {
				rt.Fatal(err)
			}
		}
		stop := rapid.SampledFrom([]int{1 << 40, 1, 300}).Draw(rt, "stop")
		runs := 0
		err := attemptOf(t, &MemorySpill{}, d.share, &runs, func(task *Task) error {
			got, err := aggregateAll(task, fold, in, d, stop)
			if err == nil && !slices.Equal(got, want[:min(len(want), stop)]) {
				rt.Errorf("%d keys, want %d, or other accumulators or another order", len(got), len(want))
			}
			return err
		})
		if err != nil {
			rt.Fatal(err)
		}
		if d.ordered {
			spilled += runs
		} else {
			unordered += runs
		}
	})
	if spilled == 0 || unordered == 0 {
		t.Errorf("%d runs were spilled in order, %d without", spilled, unordered)
	}
}
