package exec

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"fletch/engine/batch"
)

// joinBench joins two sides of float keys, of which some are equal without being identical.
type joinBench struct {
	left  []batch.KV[float64, string]
	right []batch.KV[float64, string]
	lc    *batch.Codec[batch.KV[float64, string]]
	rc    *batch.Codec[batch.KV[float64, string]]
	keyer *batch.Keyer[float64]
}

func newJoinBench(t testing.TB, r *rand.Rand, left, right, keys int) *joinBench {
	b := &joinBench{}
	var errs [3]error
	b.lc, errs[0] = batch.CodecOf[batch.KV[float64, string]]()
	b.rc, errs[1] = batch.CodecOf[batch.KV[float64, string]]()
	b.keyer, errs[2] = batch.KeyerOf[float64]()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	key := func() float64 {
		switch k := r.IntN(keys); k {
		case 0:
			return math.Copysign(0, float64(r.IntN(2)-1))
		case 1:
			return math.NaN()
		default:
			return float64(k)
		}
	}
	for i := range left {
		b.left = append(b.left, batch.KV[float64, string]{Key: key(), Value: strings.Repeat("v", r.IntN(400)) + fmt.Sprint(i)})
	}
	for i := range right {
		b.right = append(b.right, batch.KV[float64, string]{Key: key(), Value: strings.Repeat("w", r.IntN(400)) + fmt.Sprint(i)})
	}
	return b
}

// naive returns what a join of the given kind hands on.
func (b *joinBench) naive(kind string) (out []string) {
	canonical := func(k float64) string { return fmt.Sprint(k + 0) }
	left, right := map[string]bool{}, map[string][]string{}
	for _, r := range b.right {
		right[canonical(r.Key)] = append(right[canonical(r.Key)], r.Value)
	}
	for _, l := range b.left {
		left[canonical(l.Key)] = true
		matches := right[canonical(l.Key)]
		if kind != "semi" && kind != "anti" {
			for _, w := range matches {
				out = append(out, fmt.Sprint(l.Key+0, l.Value, w))
			}
		}
		if matched := len(matches) > 0; matched && kind == "semi" || !matched && (kind == "anti" || kind == "left" || kind == "full") {
			out = append(out, fmt.Sprint(l.Key, l.Value))
		}
	}
	for _, r := range b.right {
		if (kind == "right" || kind == "full") && !left[canonical(r.Key)] {
			out = append(out, fmt.Sprint(r.Key, "right", r.Value))
		}
	}
	slices.Sort(out)
	return out
}

// join returns what Join hands on, sorted, as far as it is wanted.
func (b *joinBench) join(t *Task, kind string, step, wanted int) ([]string, error) {
	var out []string
	j := b.of(kind, func(s string) bool {
		out = append(out, s)
		return len(out) < wanted
	})
	err := j.Run(t, &recordsSource[batch.KV[float64, string]]{arriving(t), b.lc, b.left, step},
		&recordsSource[batch.KV[float64, string]]{arriving(t), b.rc, b.right, step})
	slices.Sort(out)
	return out, err
}

// of returns a join of a kind that hands on to add.
func (b *joinBench) of(kind string, add func(string) bool) *Join[float64, string, string] {
	j := &Join[float64, string, string]{Left: b.lc, Right: b.rc, Keyer: b.keyer.Clone}
	pair := func(k float64, v string, w string) bool { return add(fmt.Sprint(k, v, w)) }
	left := func(k float64, v string) bool { return add(fmt.Sprint(k, v)) }
	right := func(k float64, w string) bool { return add(fmt.Sprint(k, "right", w)) }
	switch kind {
	case "inner":
		j.Pair = pair
	case "left":
		j.Pair, j.LeftAlone = pair, left
	case "right":
		j.Pair, j.RightAlone = pair, right
	case "full":
		j.Pair, j.LeftAlone, j.RightAlone = pair, left, right
	case "semi":
		j.Matched = left
	case "anti":
		j.LeftAlone = left
	}
	return j
}

var joinKinds = []string{"inner", "left", "right", "full", "semi", "anti"}

// TestJoin compares all kinds of joins with nested loops, from a share that holds a few batches to one that holds all.
func TestJoin(t *testing.T) {
	for _, share := range []int64{1400 << 10, 1 << 30} {
		spilled := 0
		rapid.Check(t, func(rt *rapid.T) {
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
			sizes, keys := []int{300, 0, 1, 40}, rapid.SampledFrom([]int{3, 3000, 1, 100_000}).Draw(rt, "keys")
			if keys > 3 && share < 1<<30 {
				sizes = []int{15_000, 15_000, 0, 40} // often enough that neither side fits
			}
			side := rapid.SampledFrom(sizes)
			b := newJoinBench(t, r, side.Draw(rt, "left"), side.Draw(rt, "right"), keys)
			kind := rapid.SampledFrom(joinKinds).Draw(rt, "kind")
			step := rapid.IntRange(1, 50).Draw(rt, "step")
			want := b.naive(kind)
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			spill := &MemorySpill{}
			task := &Task{Spill: spill, Memory: mem}
			err := runOnCoroutine(t, task, share, func(task *Task) error {
				got, err := b.join(task, kind, step, math.MaxInt)
				if err == nil && !slices.Equal(got, want) {
					rt.Errorf("%d records, want %d: %.200q, want %.200q", len(got), len(want), got, want)
				}
				return err
			})
			if err != nil {
				rt.Fatal(err)
			}
			if in, told := task.Metrics().RowsIn, task.Progress.Rows.Load(); in != int64(len(b.left)+len(b.right)) || told != in {
				rt.Errorf("%d rows are counted of %d and %d, %d in the progress", in, len(b.left), len(b.right), told)
			}
			spilled += spill.Runs
			spill.Close()
			mem.AssertSize(t, 0)
		})
		if (spilled > 0) != (share < 1<<30) {
			t.Errorf("with a share of %d bytes there were %d spilled runs", share, spilled)
		}
	}
}

// TestJoinStops sees that a join ends where no more is wanted, in each of its ways, and gives back what it holds.
func TestJoinStops(t *testing.T) {
	b := newJoinBench(t, rand.New(rand.NewPCG(1, 1)), 8000, 20_000, 40_000)
	for _, kind := range joinKinds {
		for _, share := range []int64{1400 << 10, 1 << 30} {
			for _, wanted := range []int{1, 100} {
				err := runOnCoroutine(t, &Task{}, share, func(task *Task) error {
					if got, err := b.join(task, kind, 50, wanted); err != nil || len(got) != wanted {
						return fmt.Errorf("%s join: %d records of %d, error %w", kind, len(got), wanted, err)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestJoinFails sees that no failure of the spill is taken for the end of a side, also where the records of one key are
// spilled on both sides.
func TestJoinFails(t *testing.T) {
	b := newJoinBench(t, rand.New(rand.NewPCG(1, 1)), 9000, 9000, 10_000)
	for i := range b.left[:60] {
		b.left[i].Key = 7
	}
	for i := range b.right {
		b.right[i].Key = float64(i % 2 * 7)
	}
	want := len(b.naive("inner"))
	for at := 1; ; at++ {
		pairs := 0
		spill := &MemorySpill{FailAt: at}
		err := runOnCoroutine(t, &Task{Spill: spill}, 1400<<10, func(task *Task) error {
			j := Join[float64, string, string]{Left: b.lc, Right: b.rc, Keyer: b.keyer.Clone, Pair: func(float64, string, string) bool { pairs++; return true }}
			return j.Run(task, &recordsSource[batch.KV[float64, string]]{arriving(task), b.lc, b.left, 50}, &recordsSource[batch.KV[float64, string]]{arriving(task), b.rc, b.right, 50})
		})
		if spill.Calls < at { // there are no more calls
			if at < 20 || err != nil || pairs != want {
				t.Fatalf("without a failure: %d calls, %d pairs of %d, error %v", spill.Calls, pairs, want, err)
			}
			return
		}
		if !errors.Is(err, ErrInjected) && pairs != want { // what was read already may fail to be closed
			t.Errorf("call %d failed: error %v after %d pairs", at, err, pairs)
		}
		spill.Close()
	}
}
