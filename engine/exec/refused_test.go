package exec

import (
	"iter"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
	"fletch/engine/budget"
)

// besideAnother runs f as one of two attempts that share 32 MiB. The other one joins when f says so, and holds nothing.
func besideAnother(t *testing.T, spill *MemorySpill, f func(task *Task, join func()) error) {
	t.Helper()
	defer spill.Close()
	pool := budget.NewPool(32<<20, 2, 2)
	err := runInPool(t, &Task{Spill: spill}, pool, func(task *Task) error {
		var other *budget.Share
		defer func() { other.Close() }()
		return f(task, func() {
			var err error
			if other, err = pool.Join(task.Coroutine); err != nil {
				t.Error(err)
			}
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// TestFewRunsBesideWhatIsKept has operators behind what the task keeps to its end, which is all that the share is sure of:
// nothing that they spill brings it below, so they spill what is worth a run.
func TestFewRunsBesideWhatIsKept(t *testing.T) {
	records := pairsOf(rand.New(rand.NewPCG(1, 1)), numbers, 100_000, 100_000)
	d := drawn{step: 1000, ordered: true}
	for name, run := range map[string]func(*Task) error{
		"Group": func(t *Task) error {
			_, err := groupAll(t, records, d)
			return err
		},
		"Sort": func(t *Task) error {
			codec := codecOf[batch.KV[int64, string]](nil)
			src := &recordsSource[batch.KV[int64, string]]{arriving(t), codec, records, 1000}
			return Sort(t, 0, src, codec, keyOrder[int64, string](keyerOf[int64](), true), func(batch.KV[int64, string]) bool { return true })
		},
		"Aggregate": func(t *Task) error {
			in := make([]batch.KV[int64, sizes], len(records))
			for i := range in {
				in[i].Key = records[i].Key
			}
			_, err := aggregateAll(t, longest, in, d, 1<<40)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			spill := &MemorySpill{}
			besideAnother(t, spill, func(task *Task, join func()) error {
				join()
				if err := task.keep(16<<20 - 4096); err != nil {
					return err
				}
				defer task.Share.Give(task.keptBytes)
				return run(task)
			})
			if spill.Runs == 0 || spill.Runs > 20 {
				t.Errorf("some 9 MiB make %d runs", spill.Runs)
			}
		})
	}
}

// onFirst is a source that calls a function before its first batch.
type onFirst struct {
	Source
	call func()
}

func (s *onFirst) Next() (arrow.Record, error) {
	if s.call != nil {
		s.call()
		s.call = nil
	}
	return s.Source.Next()
}

// TestCoGroupSpillsTheLargerSide has a left side that holds all, when another attempt joins: the right side is refused until the
// left one has been spilled, which is what it does.
func TestCoGroupSpillsTheLargerSide(t *testing.T) {
	left, right := make([]batch.KV[int64, string], 50_000), make([]batch.KV[int64, string], 50_000)
	for i := range left {
		left[i] = batch.KV[int64, string]{Key: int64(i), Value: strings.Repeat("l", 300)}
		right[i].Key = int64(i)
	}
	codec, spill := codecOf[batch.KV[int64, string]](t), &MemorySpill{}
	besideAnother(t, spill, func(task *Task, join func()) error {
		before, pairs := -1, 0
		c := CoGroup[int64, string, string]{Left: codec, Right: codec, Keyer: keyerOf[int64]().Clone, Ordered: true}
		err := c.Run(task, &recordsSource[batch.KV[int64, string]]{arriving(task), codec, left, 1000},
			&onFirst{&recordsSource[batch.KV[int64, string]]{arriving(task), codec, right, 1000}, func() {
				join()
				before = spill.Runs
			}},
			func(_ int64, vs, ws iter.Seq[string]) bool {
				pairs += len(take(9, vs)) * len(take(9, ws))
				return true
			})
		if before != 0 || spill.Runs != 1 || pairs != len(left) {
			t.Errorf("%d runs, %d of them before the other attempt joined; %d keys of %d on both sides", spill.Runs, before, pairs, len(left))
		}
		return err
	})
}
