package exec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"fletch/engine/batch"
	"fletch/fault"
	"fletch/fault/faulttest"
)

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
