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

// besideKinds are the joins that can look up the right side, and the left one.
var besideKinds = [2][]string{{"inner", "left", "semi", "anti"}, {"inner", "right"}}

// beside returns what a join of the records of an input with all of the other one hands on, sorted. An attempt streams them in
// as many runs.
func (b *joinBench) beside(t *Task, kind string, input, step, runs, wanted int) (out []string, err error) {
	j := b.of(kind, func(s string) bool {
		out = append(out, s)
		return len(out) < wanted
	})
	probe, codec, build := b.left, b.rc, b.right
	if input == 1 {
		probe, codec, build = b.right, b.lc, b.left
	}
	t.Side = func(exchange int) (Source, error) {
		if exchange != 7 {
			return nil, fmt.Errorf("exchange %d", exchange)
		}
		return &recordsSource[batch.KV[float64, string]]{memory.NewGoAllocator(), codec, build, step}, nil
	}
	for run := range runs {
		s := j.LeftBeside(t, 7)
		if input == 1 {
			s = j.RightBeside(t, 7)
		}
		for i := run; i < len(probe); i += runs {
			if !s.Consume.(func(batch.KV[float64, string]) bool)(probe[i]) {
				break
			}
		}
		if err := s.Finish(); err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	return out, nil
}

// TestBeside compares with nested loops, with a share that holds the table and with one that does not.
func TestBeside(t *testing.T) {
	for _, share := range []int64{1400 << 10, 1 << 30} {
		spilled := 0
		rapid.Check(t, func(rt *rapid.T) {
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
			keys := rapid.SampledFrom([]int{3, 3000, 1, 100_000}).Draw(rt, "keys")
			sizes := []int{300, 0, 1, 40}
			if keys > 3 {
				sizes = append(sizes, 9000)
			}
			b := newJoinBench(t, r, rapid.SampledFrom(sizes).Draw(rt, "left"), rapid.SampledFrom(sizes).Draw(rt, "right"), keys)
			input := rapid.IntRange(0, 1).Draw(rt, "input")
			kind := rapid.SampledFrom(besideKinds[input]).Draw(rt, "kind")
			step, runs := rapid.IntRange(1, 50).Draw(rt, "step"), rapid.IntRange(1, 3).Draw(rt, "runs")
			want := b.naive(kind)
			mem, spill := memory.NewCheckedAllocator(memory.NewGoAllocator()), &MemorySpill{}
			task := &Task{Spill: spill, Memory: mem}
			err := runOnCoroutine(t, task, share, func(task *Task) error {
				defer func() { task.Share.Give(task.keptBytes) }() // as its end does
				got, err := b.beside(task, kind, input, step, runs, math.MaxInt)
				if used := task.Share.Used(); used > share/2 {
					rt.Errorf("%d bytes are kept of a share of %d", used, share)
				}
				if err == nil && !slices.Equal(got, want) {
					rt.Errorf("%d records, want %d: %.200q, want %.200q", len(got), len(want), got, want)
				}
				return err
			})
			if err != nil {
				rt.Fatal(err)
			}
			if task.Metrics().RowsIn != 0 || task.Progress.Rows.Load() != 0 {
				rt.Errorf("%d rows of the side are counted, %d in the progress", task.Metrics().RowsIn, task.Progress.Rows.Load())
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

// TestBesideShort sees that it ends with an error where what was put aside lacks its end.
func TestBesideShort(t *testing.T) {
	b := newJoinBench(t, rand.New(rand.NewPCG(1, 1)), 3000, 3000, 10_000)
	spill := &MemorySpill{Short: true}
	defer spill.Close()
	err := runOnCoroutine(t, &Task{Spill: spill, program: Program{{}}}, 8<<20, func(task *Task) error {
		task.keptBytes = 4 << 20 // by another operator: this one puts records aside, and then has room for the side
		_, err := b.beside(task, "inner", 0, 50, 1, math.MaxInt)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "rows early") || spill.Runs != 1 {
		t.Errorf("%d runs, error %v", spill.Runs, err)
	}
}

// TestBesideFails sees that it ends with the failures of its side and of the spill.
func TestBesideFails(t *testing.T) {
	b := newJoinBench(t, rand.New(rand.NewPCG(1, 1)), 9000, 9000, 10_000)
	lost := errors.New("lost")
	err := runOnCoroutine(t, &Task{program: Program{{}}}, 1<<30, func(task *Task) error {
		j := b.of("inner", func(string) bool { return true })
		task.Side = func(int) (Source, error) { return nil, lost }
		s := j.LeftBeside(task, 7)
		for _, rec := range b.left {
			s.Consume.(func(batch.KV[float64, string]) bool)(rec)
		}
		return s.Finish()
	})
	if !errors.Is(err, lost) {
		t.Errorf("the side can't be opened: %v", err)
	}
	for at := 1; ; at++ {
		spill := &MemorySpill{FailAt: at}
		err := runOnCoroutine(t, &Task{Spill: spill, program: Program{{}}}, 1400<<10, func(task *Task) error {
			defer func() { task.Share.Give(task.keptBytes) }()
			_, err := b.beside(task, "inner", 0, 50, 1, math.MaxInt)
			return err
		})
		spill.Close()
		if err == nil {
			if at < 3 {
				t.Errorf("there were %d calls of the spill", at)
			}
			return
		}
		if !errors.Is(err, ErrInjected) {
			t.Fatalf("call %d: %v", at, err)
		}
	}
}
