package exec

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"fletch/engine/batch"
	"fletch/fault"
	"fletch/fault/faulttest"
)

// recordsSource yields records in batches of some rows.
type recordsSource[T any] struct {
	memory memory.Allocator
	codec  *batch.Codec[T]
	rows   []T
	step   int
}

func (s *recordsSource[T]) Next() (arrow.Record, error) {
	if len(s.rows) == 0 {
		return nil, io.EOF
	}
	b := s.codec.NewBuilder(s.memory)
	n := min(s.step, len(s.rows))
	if err := b.Append(s.rows[:n]); err != nil {
		return nil, err
	}
	s.rows = s.rows[n:]
	return b.Record(), nil
}

func (s *recordsSource[T]) Position(row int) string { return fmt.Sprint("row ", row) }
func (s *recordsSource[T]) Close() error            { return nil }

type word struct {
	Text string
	Seq  int64
}

func wordOrder(dst []byte, w *word) []byte { return append(append(dst, w.Text...), 0, 1) }

// words makes words of few letters, so that many are equal or begin alike.
func words(r *rand.Rand, n, longest int) []word {
	out := make([]word, n)
	for i := range out {
		var b strings.Builder
		for range r.IntN(longest + 1) {
			b.WriteByte(byte('a' + r.IntN(2)))
		}
		out[i] = word{b.String(), int64(i)}
	}
	return out
}

// TestSort compares with a stable sort in memory, from a share that holds a batch or two to one that holds all.
func TestSort(t *testing.T) {
	codec, err := batch.CodecOf[word]()
	if err != nil {
		t.Fatal(err)
	}
	spilled := 0
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		in := words(r, rapid.IntRange(0, 20_000).Draw(rt, "n"), rapid.SampledFrom([]int{0, 3, 8, 30}).Draw(rt, "longest"))
		step := rapid.IntRange(1, 700).Draw(rt, "step")
		share := rapid.SampledFrom([]int64{600 << 10, 1 << 20, 1 << 30}).Draw(rt, "share")
		stop := rapid.SampledFrom([]int{1 << 30, 17}).Draw(rt, "stop")
		var got []word
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		spill := &MemorySpill{}
		err := runOnCoroutine(t, &Task{Spill: spill, Memory: mem}, share, func(task *Task) error {
			return Sort(task, 0, &recordsSource[word]{mem, codec, in, step}, codec, wordOrder, func(w word) bool {
				got = append(got, word{strings.Clone(w.Text), w.Seq})
				return len(got) < stop
			})
		})
		if err != nil {
			rt.Fatal(err)
		}
		want := slices.Clone(in)
		slices.SortStableFunc(want, func(a, b word) int { return cmp.Compare(a.Text, b.Text) })
		if want = want[:min(len(want), stop)]; !slices.Equal(got, want) {
			rt.Fatalf("%d records of %d in another order", len(got), len(want))
		}
		spilled += spill.Runs
		spill.Close()
		mem.AssertSize(t, 0)
	})
	if spilled == 0 {
		t.Error("nothing was ever spilled")
	}
}

// TestSortFails sees that no failure of the spill is taken for the end of the records.
func TestSortFails(t *testing.T) {
	codec, err := batch.CodecOf[word]()
	if err != nil {
		t.Fatal(err)
	}
	in := words(rand.New(rand.NewPCG(1, 1)), 20_000, 30)
	for at := 1; ; at++ {
		spill := &MemorySpill{FailAt: at}
		rows := 0
		err := runOnCoroutine(t, &Task{Spill: spill}, 600<<10, func(task *Task) error {
			return Sort(task, 0, &recordsSource[word]{memory.NewGoAllocator(), codec, in, 500}, codec, wordOrder, func(word) bool { rows++; return true })
		})
		if spill.Calls < at { // there are no more calls
			if at < 10 || err != nil || rows != len(in) {
				t.Fatalf("without a failure: %d calls, %d rows, error %v", spill.Calls, rows, err)
			}
			return
		}
		if !errors.Is(err, ErrInjected) {
			t.Errorf("call %d failed: error %v after %d rows", at, err, rows)
		}
		spill.Close()
	}
}

// TestSortTooLarge sees that a batch that no share can hold is an error that says so.
func TestSortTooLarge(t *testing.T) {
	codec, err := batch.CodecOf[word]()
	if err != nil {
		t.Fatal(err)
	}
	in := []word{{string(bytes.Repeat([]byte("x"), 1<<20)), 0}}
	err = runOnCoroutine(t, &Task{}, 1<<20, func(task *Task) error {
		return Sort(task, 0, &recordsSource[word]{memory.NewGoAllocator(), codec, in, 1}, codec, wordOrder, func(word) bool { return true })
	})
	faulttest.Want(t, err, fault.User, "MiB are needed at once", "--memory")
}
