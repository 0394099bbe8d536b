package exec

import (
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/batch"
	"fletch/fault"
	"fletch/fault/faulttest"
)

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

// TestValuesPassedOverAreSteps has a group of whose values nobody asks for any: going past them is progress.
func TestValuesPassedOverAreSteps(t *testing.T) {
	codec := codecOf[batch.KV[string, string]](t)
	records := pairsOf(rand.New(rand.NewPCG(1, 2)), texts, 5000, 1)
	OnCoroutine(t, func(task *Task) error {
		src := &recordsSource[batch.KV[string, string]]{arriving(task), codec, records, 500}
		err := Group(task, 0, src, codec, keyerOf[string](), true, func(string, iter.Seq[string]) bool { return true })
		if task.steps < int64(len(records)) {
			t.Errorf("%d steps past %d values", task.steps, len(records))
		}
		return err
	})
}
