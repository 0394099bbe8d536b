package exec

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"fletch/engine/batch"
	"fletch/fault"
	"fletch/fault/faulttest"
)

// keysOf is how keys of a type are made for these tests: several of them for each number below a bound.
type keysOf[K any] struct {
	name string
	make func(n int) K
}

type place struct {
	Name string
	Zone int8
}

func textKey(n int) string { return strings.Repeat("x", n%37) + fmt.Sprint(n) }

var (
	numbers = keysOf[int64]{"int64", func(n int) int64 { return int64(n)*7919 - 1000 }}
	texts   = keysOf[string]{"string", textKey} // short and long ones
	places  = keysOf[place]{"struct", func(n int) place { return place{textKey(n / 3), int8(n%3 - 1)} }}
)

// pairsOf draws records with as many different keys as distinct; each value tells which record it is of.
func pairsOf[K any](r *rand.Rand, keys keysOf[K], n, distinct int) []batch.KV[K, string] {
	out := make([]batch.KV[K, string], n)
	for i := range out {
		out[i] = batch.KV[K, string]{Key: keys.make(r.IntN(distinct)), Value: strings.Repeat("-", r.IntN(40)) + fmt.Sprint(i)}
	}
	return out
}

// grouped returns the values of each key, in increasing order of the keys.
func grouped[K comparable](keyer *batch.Keyer[K], records []batch.KV[K, string]) (groups []batch.KV[K, []string]) {
	at := map[K]int{}
	for _, kv := range records {
		i, ok := at[kv.Key]
		if !ok {
			i = len(groups)
			at[kv.Key] = i
			groups = append(groups, batch.KV[K, []string]{Key: kv.Key})
		}
		groups[i].Value = append(groups[i].Value, kv.Value)
	}
	slices.SortFunc(groups, func(a, b batch.KV[K, []string]) int {
		return bytes.Compare(keyer.Append(nil, &a.Key), keyer.Append(nil, &b.Key))
	})
	return groups
}

// drawn is what the tests of this file draw.
type drawn struct {
	rng      *rand.Rand
	records  int
	distinct int
	step     int // rows of a batch
	share    int64
	ordered  bool
}

// draw draws a share, too: the least that an operator works with, as it has to read two runs of batches of some 100 kB, or
// one that holds some of the records, or all.
func draw(t *rapid.T, least int64) drawn {
	d := drawn{
		rng:      rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)),
		records:  rapid.SampledFrom([]int{12_000, 12_000, 12_000, 12_000, 700, 1, 0}).Draw(t, "records"),
		distinct: rapid.SampledFrom([]int{40_000, 40_000, 40_000, 2000, 1}).Draw(t, "distinct"),
		step:     rapid.SampledFrom([]int{1000, 256, 70, 2}).Draw(t, "step"),
		share:    rapid.SampledFrom([]int64{least, least, least, least + least/3, 1 << 40}).Draw(t, "share"),
		ordered:  rapid.Bool().Draw(t, "ordered"),
	}
	if d.step == 2 { // many batches take long
		d.records = min(d.records, 700)
	}
	return d
}

// attemptOf runs f as an attempt does whose Arrow memory is counted, and sees that nothing is left of it. It adds the runs
// that were spilled to spilled.
func attemptOf(t testing.TB, spill *MemorySpill, share int64, spilled *int, f func(*Task) error) error {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	err := runOnCoroutine(t, &Task{Spill: spill, Memory: mem}, share, f)
	if spill.Open() != 0 {
		t.Errorf("%d spilled runs are still open", spill.Open())
	}
	spill.Close()
	mem.AssertSize(t, 0)
	*spilled += spill.Runs
	return err
}

// concat folds strings in their order; what it keeps are views of batches until there are two.
var concat = Fold[string, string]{
	Add:   func(acc *string, v string, _ bool) { *acc += "," + v },
	Merge: func(acc *string, other string, _ bool) { *acc += other },
}

// longest folds to the length of the longest value and their number: an accumulator without pointers.
type sizes struct{ Longest, Count int64 }

var longest = Fold[string, sizes]{
	Add: func(acc *sizes, v string, _ bool) {
		acc.Longest, acc.Count = max(acc.Longest, int64(len(v))), acc.Count+1
	},
	Merge: func(acc *sizes, other sizes, _ bool) {
		acc.Longest, acc.Count = max(acc.Longest, other.Longest), acc.Count+other.Count
	},
}

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

func keyerOf[K any]() *batch.Keyer[K] {
	k, err := batch.KeyerOf[K]()
	if err != nil {
		panic(err)
	}
	return k
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

// byPosition compares records by where their keys stand in a list.
func byPosition[K comparable, A any](list []batch.KV[K, A]) func(a, b batch.KV[K, A]) int {
	at := map[K]int{}
	for i, kv := range list {
		at[kv.Key] = i
	}
	return func(a, b batch.KV[K, A]) int { return cmp.Compare(at[a.Key], at[b.Key]) }
}

// TestGroupBeyondMemory compares with a map. Of some groups it asks for all values, of some for the first ones, of some for
// none.
func TestGroupBeyondMemory(t *testing.T) {
	t.Run(numbers.name, func(t *testing.T) { groupsBeyond(t, numbers) })
	t.Run(texts.name, func(t *testing.T) { groupsBeyond(t, texts) })
	t.Run(places.name, func(t *testing.T) { groupsBeyond(t, places) })
}

// wanted is how many values of the group of this number are asked for.
func wanted(group int) int { return []int{1 << 40, 0, 1, 1 << 40, 3}[group%5] }

// take returns the first n values.
func take(n int, values iter.Seq[string]) (out []string) {
	if n == 0 {
		return nil
	}
	for v := range values {
		if out = append(out, v); len(out) == n {
			break
		}
	}
	return out
}

func groupAll[K any](t *Task, records []batch.KV[K, string], d drawn) (out []batch.KV[K, []string], err error) {
	codec := codecOf[batch.KV[K, string]](nil)
	src := &recordsSource[batch.KV[K, string]]{arriving(t), codec, records, d.step}
	err = Group(t, 0, src, codec, keyerOf[K](), d.ordered, func(k K, values iter.Seq[string]) bool {
		out = append(out, batch.KV[K, []string]{Key: k, Value: take(wanted(len(out)), values)})
		return true
	})
	return out, err
}

func equalGroups[K comparable](a, b batch.KV[K, []string]) bool {
	return a.Key == b.Key && slices.Equal(a.Value, b.Value)
}

func groupsBeyond[K comparable](t *testing.T, keys keysOf[K]) {
	spilled := 0
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(rt, 800<<10)
		records := pairsOf(d.rng, keys, d.records, d.distinct)
		want := grouped(keyerOf[K](), records)
		if !d.ordered {
			err := attemptOf(t, &MemorySpill{}, 1<<40, new(int), func(task *Task) error {
				inMemory, err := groupAll(task, records, d)
				slices.SortFunc(want, byPosition(inMemory))
				return err
			})
			if err != nil {
				rt.Fatal(err)
			}
		}
		for i := range want {
			want[i].Value = want[i].Value[:min(wanted(i), len(want[i].Value))]
		}
		err := attemptOf(t, &MemorySpill{}, d.share, &spilled, func(task *Task) error {
			got, err := groupAll(task, records, d)
			if err == nil && !slices.EqualFunc(got, want, equalGroups) {
				rt.Errorf("%d groups, want %d, or other values or another order", len(got), len(want))
			}
			return err
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
	if spilled == 0 {
		t.Error("nothing was ever spilled")
	}
}

// both is a key with the values of two sides.
type both[K any] struct {
	key         K
	left, right []string
}

func coGroupAll[K any](t *Task, left, right []batch.KV[K, string], d drawn) (out []both[K], err error) {
	codec := codecOf[batch.KV[K, string]](nil)
	c := CoGroup[K, string, string]{Left: codec, Right: codec, Keyer: keyerOf[K]().Clone, Ordered: d.ordered}
	ls, rs := &recordsSource[batch.KV[K, string]]{arriving(t), codec, left, d.step}, &recordsSource[batch.KV[K, string]]{arriving(t), codec, right, d.step}
	err = c.Run(t, ls, rs, func(k K, vs, ws iter.Seq[string]) bool {
		n := len(out)
		b := both[K]{key: k}
		if n%2 == 0 {
			b.left, b.right = take(wanted(n), vs), take(wanted(n+1), ws)
		} else {
			b.right, b.left = take(wanted(n+1), ws), take(wanted(n), vs)
		}
		out = append(out, b)
		return true
	})
	return out, err
}

// TestCoGroupBeyondMemory compares with the groups of each side.
func TestCoGroupBeyondMemory(t *testing.T) {
	spilled := 0
	rapid.Check(t, func(rt *rapid.T) {
		d, keyer := draw(rt, 1500<<10), keyerOf[string]()
		left := pairsOf(d.rng, texts, d.records, d.distinct)
		right := pairsOf(d.rng, texts, rapid.SampledFrom([]int{12_000, 0, 300}).Draw(rt, "right"), d.distinct+d.distinct/2)
		want := map[string]*both[string]{}
		for _, g := range grouped(keyer, left) {
			want[g.Key] = &both[string]{g.Key, g.Value, nil}
		}
		for _, g := range grouped(keyer, right) {
			if want[g.Key] == nil {
				want[g.Key] = &both[string]{key: g.Key}
			}
			want[g.Key].right = g.Value
		}
		order := func(k string) string {
			if d.ordered {
				return k
			}
			return string(hashedOrder[string, string](keyer)(nil, &batch.KV[string, string]{Key: k}))
		}
		err := attemptOf(t, &MemorySpill{}, d.share, &spilled, func(task *Task) error {
			got, err := coGroupAll(task, left, right, d)
			if err != nil {
				return err
			}
			for i, g := range got {
				w := want[g.key]
				if w == nil || !slices.Equal(g.left, w.left[:min(wanted(i), len(w.left))]) || !slices.Equal(g.right, w.right[:min(wanted(i+1), len(w.right))]) {
					rt.Fatalf("key %q has the values %q and %q, want %v", g.key, g.left, g.right, w)
				}
				if i > 0 && order(got[i-1].key) >= order(g.key) {
					rt.Fatalf("key %q comes behind %q", g.key, got[i-1].key)
				}
			}
			if len(got) != len(want) {
				rt.Fatalf("%d keys, want %d", len(got), len(want))
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
	if spilled == 0 {
		t.Error("nothing was ever spilled")
	}
}

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

// operator runs an operator over records that do not fit into a share, and returns the number of keys.
type operator struct {
	share int64
	run   func(*Task) (keys int, err error)
}

func operators() map[string]operator {
	d := drawn{step: 900, ordered: true}
	records := pairsOf(rand.New(rand.NewPCG(1, 2)), texts, 30_000, 20_000)
	one := func(ordered bool) func(*Task) (int, error) {
		return func(t *Task) (int, error) {
			d := d
			d.ordered = ordered
			in := make([]batch.KV[string, sizes], len(records))
			for i, kv := range records {
				in[i].Key = kv.Key
			}
			out, err := aggregateAll(t, longest, in, d, 1<<40)
			return len(out), err
		}
	}
	return map[string]operator{
		"Aggregate": {900 << 10, one(true)}, "Aggregate unordered": {900 << 10, one(false)},
		"Group": {1 << 20, func(t *Task) (int, error) {
			out, err := groupAll(t, records, d)
			return len(out), err
		}},
		"CoGroup": {1200 << 10, func(t *Task) (int, error) {
			out, err := coGroupAll(t, records[:15_000], records[15_000:], d)
			return len(out), err
		}},
	}
}

// TestSpillFailures injects a failure into each call of the spill in turn: none is taken for the end of the records.
func TestSpillFailures(t *testing.T) {
	for name, op := range operators() {
		t.Run(name, func(t *testing.T) {
			for at := 1; ; at++ {
				spill := &MemorySpill{FailAt: at}
				keys := 0
				err := attemptOf(t, spill, op.share, new(int), func(task *Task) (err error) {
					keys, err = op.run(task)
					return err
				})
				if spill.Calls < at {
					if err != nil || keys < 15_000 || at < 20 {
						t.Fatalf("without a failure: %d calls, %d keys, error %v", spill.Calls, keys, err)
					}
					return
				}
				if !errors.Is(err, ErrInjected) {
					t.Errorf("call %d failed: error %v after %d keys", at, err, keys)
				}
			}
		})
	}
}

// TestShortRuns has runs that end too early, without an error.
func TestShortRuns(t *testing.T) {
	for name, op := range operators() {
		err := attemptOf(t, &MemorySpill{Short: true}, op.share, new(int), func(task *Task) error {
			_, err := op.run(task)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "rows early") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestCancelBeyondMemory cancels attempts at many moments: each gives back what it holds.
func TestCancelBeyondMemory(t *testing.T) {
	cause := errors.New("cancelled")
	for name, op := range operators() {
		t.Run(name, func(t *testing.T) {
			for calls := 1; ; calls += 11 {
				spill, keys := &MemorySpill{}, 0
				err := attemptOf(t, spill, op.share, new(int), func(task *Task) (err error) {
					spill.OnCall = func(n int) {
						if n == calls {
							ctx, cancel := context.WithCancel(task.Context)
							cancel()
							task.Context = ctx
							task.Coroutine.Cancel(cause)
						}
					}
					keys, err = op.run(task)
					return err
				})
				if spill.Calls < calls {
					return
				}
				if complete := err == nil && keys > 15_000; !complete && !errors.Is(err, cause) {
					t.Errorf("cancelled at call %d: error %v", calls, err)
				}
			}
		})
	}
}

// TestKeysLargerThanTheShare has a key that no task could hold: an error says so, and nobody waits.
func TestKeysLargerThanTheShare(t *testing.T) {
	records := pairsOf(rand.New(rand.NewPCG(1, 2)), texts, 9000, 9000)
	records = append(records, batch.KV[string, string]{Key: strings.Repeat("k", 3<<20)})
	d := drawn{step: 1000, ordered: true}
	for name, run := range map[string]func(*Task) error{
		"Combine":   func(t *Task) error { _, err := combineAll(t, longest, records); return err },
		"Aggregate": func(t *Task) error { _, err := aggregateAll(t, concat, records, d, 1<<40); return err },
		"Group":     func(t *Task) error { _, err := groupAll(t, records, d); return err },
		"CoGroup":   func(t *Task) error { _, err := coGroupAll(t, nil, records, d); return err },
	} {
		t.Run(name, func(t *testing.T) {
			err := attemptOf(t, &MemorySpill{}, 1<<20, new(int), run)
			faulttest.Want(t, err, fault.User, "MiB are needed at once", "--memory")
		})
	}
}

// TestBesideWhoHoldsAll has operators that need memory while another one of the task holds all of the share, to the end or,
// as a combiner does, until it is asked: it is not their records that are too large.
func TestBesideWhoHoldsAll(t *testing.T) {
	for _, whole := range []bool{true, false} {
		t.Run(fmt.Sprintf("to the end=%v", whole), func(t *testing.T) { besideWhoHoldsAll(t, whole) })
	}
}

func besideWhoHoldsAll(t *testing.T, whole bool) {
	const keys, wanted = 20_000, 5000
	text := func(i int) string { return fmt.Sprintf("%0200d", i*7919%keys) }
	port, top := &collecting[batch.KV[string, int64]]{codec: codecOf[batch.KV[string, int64]](t)}, &collecting[string]{codec: codecOf[string](t)}
	spill := &MemorySpill{}
	err := attemptOf(t, spill, 4<<20, new(int), func(task *Task) error {
		x := Keyed[string, None, int64]{Codec: port.codec, Keyer: keyerOf[string]().Clone, Fold: CountFold, Slots: new(atomic.Int64)}
		counts := CombineKeys(task, port, 7, x)
		tops := WriteTop(task, 0, top, top.codec, wanted, func(dst []byte, s *string) []byte { return append(append(dst, *s...), 0, 1) })
		held := int64(0)
		hold := func() {
			for n := int64(4 << 20); n > 0; n /= 2 {
				if task.Share.Take(n) {
					held += n
				}
			}
		}
		if whole {
			hold()
		}
		for i := range keys {
			for range 2 { // or the combiner would let them pass
				counts.Consume.(func(string) bool)(text(i))
			}
		}
		hold() // what the combiner has left
		for i := range keys {
			tops.Consume.(func(string) bool)(text(i))
		}
		task.Share.Give(held)
		return errors.Join(counts.Finish(), tops.Finish())
	})
	if err != nil || spill.Runs == 0 || len(port.rows) < keys || len(top.rows) != wanted {
		t.Errorf("%d counts, want %d; %d at the top, want %d; %d runs; %v", len(port.rows), keys, len(top.rows), wanted, spill.Runs, err)
	}
	for i, s := range top.rows {
		if want := fmt.Sprintf("%0200d", i); s != want {
			t.Fatalf("%q is at the top, want %q", s, want)
		}
	}
}

// TestValuesEnd sees that the values of a group can't be ranged over twice or once the group is gone, wherever they are.
func TestValuesEnd(t *testing.T) {
	records := pairsOf(rand.New(rand.NewPCG(1, 2)), texts, 20_000, 2)
	codec := codecOf[batch.KV[string, string]](t)
	for _, share := range []int64{1 << 20, 1 << 40} {
		for want, use := range map[string]func(values, before iter.Seq[string]){
			"ranged over once": func(values, _ iter.Seq[string]) { take(2, values); take(1, values) },
			"after its function has returned": func(_, before iter.Seq[string]) {
				if before != nil {
					take(1, before)
				}
			},
		} {
			var before iter.Seq[string]
			err := attemptOf(t, &MemorySpill{}, share, new(int), func(task *Task) error {
				return Group(task, 0, &recordsSource[batch.KV[string, string]]{arriving(task), codec, records, 500}, codec, keyerOf[string](), true,
					func(_ string, values iter.Seq[string]) bool {
						use(values, before)
						before = values
						return true
					})
			})
			faulttest.Want(t, err, fault.User, want)
		}
	}
}
