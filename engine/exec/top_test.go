package exec

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"fletch/engine/batch"
)

// TestTop compares with the beginning of a stable sort, where the share holds the records that are wanted and where it
// does not.
func TestTop(t *testing.T) {
	codec, err := batch.CodecOf[word]()
	if err != nil {
		t.Fatal(err)
	}
	sorted, inMemory := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		in := words(r, rapid.SampledFrom([]int{40_000, 40_000, 3000, 1, 0}).Draw(rt, "rows"), rapid.SampledFrom([]int{3, 30}).Draw(rt, "longest"))
		n := rapid.SampledFrom([]int{30_000, 10, 1 << 40, 500, 1, 0}).Draw(rt, "n")
		share := rapid.SampledFrom([]int64{2 << 20, 2 << 20, 1 << 30}).Draw(rt, "share")
		var got []word
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		spill := &MemorySpill{}
		err := runOnCoroutine(t, &Task{Spill: spill, Memory: mem}, share, func(task *Task) error {
			return PullTop(task, 0, &recordsSource[word]{mem, codec, in, 300}, codec, n, wordOrder, func(w word) bool {
				got = append(got, word{strings.Clone(w.Text), w.Seq})
				return true
			})
		})
		if err != nil {
			rt.Fatal(err)
		}
		want := slices.Clone(in)
		slices.SortStableFunc(want, func(a, b word) int { return cmp.Compare(a.Text, b.Text) })
		if want = want[:min(len(want), n)]; !slices.Equal(got, want) {
			rt.Fatalf("%d records, want the first %d of %d", len(got), len(want), len(in))
		}
		if spill.Runs > 0 {
			sorted++
		} else {
			inMemory++
		}
		spill.Close()
		mem.AssertSize(t, 0)
	})
	if sorted == 0 || inMemory == 0 {
		t.Errorf("%d runs sorted all, %d kept what is wanted: want some of both", sorted, inMemory)
	}
}

// TestTopKeepsNoBatchAlive sees that records of many batches are copied: what is taken of the share is what they need.
func TestTopKeepsNoBatchAlive(t *testing.T) {
	codec, err := batch.CodecOf[word]()
	if err != nil {
		t.Fatal(err)
	}
	in := make([]word, 100_000)
	for i := range in { // each one comes before all that came earlier
		in[i] = word{fmt.Sprintf("%09d %s", len(in)-i, strings.Repeat("x", 100)), int64(i)}
	}
	err = runOnCoroutine(t, &Task{}, 1<<30, func(task *Task) error {
		err := PullTop(task, 0, &recordsSource[word]{arriving(task), codec, in, 1000}, codec, 100, wordOrder, func(word) bool { return true })
		if peak := task.Share.Peak(); peak > 2*topSlack {
			t.Errorf("100 records took %d bytes of the share", peak)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// texts100 returns records of some 100 bytes in increasing order.
func texts100(n int) []word {
	out := make([]word, n)
	for i := range out {
		out[i] = word{fmt.Sprintf("%s%08d", strings.Repeat("x", 100), i), int64(i)}
	}
	return out
}

// TestTopCountsOnce sees that the copies, which the task's memory has counted, are not taken again.
func TestTopCountsOnce(t *testing.T) {
	OnCoroutine(t, func(task *Task) error {
		h := newTop(task, 0, codecOf[word](t), 40_000, wordOrder)
		for _, w := range texts100(20_000) {
			h.add(w)
		}
		held := h.copied + h.keyBytes + int64(len(h.items))*int64(unsafe.Sizeof(h.items[0])+4)
		if used := task.Share.Used(); used < held-held/8 || used > held+held/8 {
			t.Errorf("%d bytes are held, %d are taken of the share", held, used)
		}
		return nil
	})
}

// TestTopSpillsWhatItHolds sees that the records that were kept are a run before the share has their memory for what follows.
func TestTopSpillsWhatItHolds(t *testing.T) {
	spill := &MemorySpill{}
	defer spill.Close()
	err := runOnCoroutine(t, &Task{Spill: spill}, 8<<20, func(task *Task) error {
		h := newTop(task, 0, codecOf[word](t), 1<<40, wordOrder)
		spill.OnCall = func(call int) {
			if used := task.Share.Used(); call == 1 && used < 7<<20 {
				t.Errorf("%d bytes are taken of the share while %d records are held", used, len(h.items))
			}
		}
		in := texts100(100_000)
		for len(in) > 0 && h.sorted == nil {
			h.add(in[0])
			in = in[1:]
		}
		if used := task.Share.Used(); spill.Runs != 1 || spill.Rows != int64(100_000-len(in)) || used > 1<<20 {
			t.Errorf("%d runs of %d records, want one of %d; %d bytes are taken of the share", spill.Runs, spill.Rows, 100_000-len(in), used)
		}
		for _, w := range in[:20_000] { // in batches that the task's memory counts: there is room, unless they are taken again
			h.add(w)
		}
		if used := task.Share.Used(); spill.Runs != 1 || h.sorted.bytes == 0 {
			t.Errorf("%d runs; %d bytes are taken of the share, %d are held", spill.Runs, used, h.sorted.bytes)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
