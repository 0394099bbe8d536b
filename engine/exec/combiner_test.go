package exec

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"fletch/engine/batch"
)

// collecting is a port that keeps rows as a reading side would get them.
type collecting[T any] struct {
	codec *batch.Codec[T]
	rows  []T
	parts []uint32
}

func (c *collecting[T]) Write(rec arrow.Record, parts []uint32) error {
	d := c.codec.NewDecoder()
	if err := d.Reset(rec); err != nil {
		return err
	}
	rows := make([]T, d.Len())
	d.Read(rows, 0)
	c.rows, c.parts = append(c.rows, rows...), append(c.parts, parts...)
	return nil
}

// combineAll combines records.
func combineAll[K, A any](t *Task, fold Fold[string, A], records []batch.KV[K, string]) (*collecting[batch.KV[K, A]], error) {
	codec := codecOf[batch.KV[K, A]](nil)
	port := &collecting[batch.KV[K, A]]{codec: codec}
	x := Keyed[K, string, A]{Codec: codec, Keyer: keyerOf[K]().Clone, Fold: fold, Slots: new(atomic.Int64)}
	s := Combine(t, port, 7, x, func(kv batch.KV[K, string]) (K, string) { return kv.Key, kv.Value })
	for _, kv := range records {
		s.Consume.(func(batch.KV[K, string]) bool)(kv)
	}
	return port, s.Finish()
}

// TestCombineUnderAnyShare folds what combiners write, in its order: it is the same whether they hold all, flush or let
// records pass.
func TestCombineUnderAnyShare(t *testing.T) {
	passed, flushed, reduced := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt, 0)
		d.distinct *= rapid.SampledFrom([]int{1, 1000}).Draw(rt, "times distinct")
		share := rapid.SampledFrom([]int64{40 << 10, 200 << 10, 1 << 20, 1 << 40}).Draw(rt, "share")
		records := pairsOf(d.rng, texts, d.records, d.distinct)
		if share < 200<<10 { // whose long keys no share holds that has room for a table alone
			for i := range records {
				records[i].Key = fmt.Sprint(len(records[i].Key), records[i].Key[max(len(records[i].Key)-7, 0):])
			}
		}
		err := attemptOf(t, &MemorySpill{}, share, new(int), func(task *Task) error {
			port, err := combineAll(task, concat, records)
			if err != nil {
				return err
			}
			keyer := keyerOf[string]()
			got := map[string]string{}
			for i, kv := range port.rows {
				got[kv.Key] += kv.Value
				if want := batch.Partition(batch.HashBytes(keyer.Append(nil, &kv.Key)), 7); port.parts[i] != want {
					rt.Fatalf("key %q is in partition %d, want %d", kv.Key, port.parts[i], want)
				}
			}
			want := grouped(keyer, records)
			for _, g := range want {
				if got[g.Key] != ","+strings.Join(g.Value, ",") {
					rt.Fatalf("key %q has %q, want %q", g.Key, got[g.Key], g.Value)
				}
			}
			if len(got) != len(want) {
				rt.Fatalf("%d keys, want %d", len(got), len(want))
			}
			switch n := len(port.rows); {
			case n == d.records && n > len(want):
				passed++
			case n > len(want):
				flushed++
			case n < d.records:
				reduced++
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
	if passed == 0 || flushed == 0 || reduced == 0 {
		t.Errorf("%d times all records passed, %d times some were folded, %d times all", passed, flushed, reduced)
	}
}

// TestPassingEnds has keys that do not repeat, and then one that does: the combiner sees that its table pays again.
func TestPassingEnds(t *testing.T) {
	var records []batch.KV[int64, string]
	for i := range int64(100_000) {
		records = append(records, batch.KV[int64, string]{Key: i})
	}
	for range 20 * trialKeys {
		records = append(records, batch.KV[int64, string]{Key: -1})
	}
	OnCoroutine(t, func(task *Task) error {
		port, err := combineAll(task, longest, records)
		if n := len(port.rows); n < 100_000 || n > 100_000+8*2*trialKeys {
			t.Errorf("%d rows were written", n)
		}
		return err
	})
}

// TestCombinersShare has two combiners of one task: the one that holds most is emptied for the other one, so that neither
// keeps the memory to itself.
func TestCombinersShare(t *testing.T) {
	codec := codecOf[batch.KV[int64, sizes]](nil)
	port := [2]*collecting[batch.KV[int64, sizes]]{{codec: codec}, {codec: codec}}
	err := attemptOf(t, &MemorySpill{}, 860<<10, new(int), func(task *Task) error {
		var streams [2]Stream
		for i := range streams {
			x := Keyed[int64, string, sizes]{Codec: codec, Keyer: keyerOf[int64]().Clone, Fold: longest, Slots: new(atomic.Int64)}
			streams[i] = Combine(task, port[i], 7, x, func(k int64) (int64, string) { return k, "" })
		}
		// The first one has many keys, each twice in a row. When the second one comes, it has taken all.
		for n := range int64(400_000) {
			streams[0].Consume.(func(int64) bool)(n / 2)
			if n > 50_000 {
				streams[1].Consume.(func(int64) bool)(n % 5000)
			}
		}
		return errors.Join(streams[0].Finish(), streams[1].Finish())
	})
	if n := len(port[1].rows); err != nil || n > 20_000 {
		t.Errorf("%d rows of 5000 keys: %v", n, err)
	}
}

// TestEmptiedForOthers has a combiner emptied as another operator reads a side: what that does next is not laid to the combiner.
func TestEmptiedForOthers(t *testing.T) {
	port := &collecting[batch.KV[int64, int64]]{codec: codecOf[batch.KV[int64, int64]](t)}
	side := codecOf[word](t)
	err := attemptOf(t, &MemorySpill{}, 1400<<10, new(int), func(task *Task) error {
		x := Keyed[int64, None, int64]{Node: 7, Codec: port.codec, Keyer: keyerOf[int64]().Clone, Fold: CountFold, Slots: new(atomic.Int64)}
		counts := CombineKeys(task, port, 3, x)
		for i := range int64(100_000) {
			counts.Consume.(func(int64) bool)(i % 20_000)
		}
		task.Side = func(int) (Source, error) {
			return &recordsSource[word]{memory.NewGoAllocator(), side, make([]word, 20_000), 1000}, nil
		}
		task.Enter(3)
		task.row = 5
		Whole(task, 0, side)
		defer task.Share.Give(task.keptBytes)
		if len(port.rows) == 0 || task.op != 3 || task.row != 5 {
			t.Errorf("%d rows of the combiner were written; node %d is at work at record %d, want 3 at 5", len(port.rows), task.op, task.row)
		}
		return counts.Finish()
	})
	if err != nil {
		t.Error(err)
	}
}
