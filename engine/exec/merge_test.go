package exec

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"fletch/engine/batch"
	"fletch/engine/budget"
	"fletch/fault"
)

// keyed is a record of the runs in these tests.
type keyed struct {
	Key   string
	Value string
}

func keyOf(dst []byte, rec *keyed) []byte { return append(dst, rec.Key...) }

func codecOf[T any](t testing.TB) *batch.Codec[T] {
	c, err := batch.CodecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// spillAll spills runs of records.
func spillAll(t *Task, codec *batch.Codec[keyed], fold func(into, rec *keyed), runsOf [][]keyed) (*runs[keyed], error) {
	r := &runs[keyed]{task: t, codec: codec, key: keyOf, fold: fold}
	for _, some := range runsOf {
		err := r.spill(func(add func(keyed)) {
			for _, rec := range some {
				add(rec)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// drawRuns draws sorted runs whose values are numbers in the order of the runs.
func drawRuns(t *rapid.T) (runsOf [][]keyed) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	distinct := rapid.SampledFrom([]int{1, 3, 50, 100_000}).Draw(t, "distinct")
	width := rapid.SampledFrom([]int{0, 5, 8, 9, 200, 1500}).Draw(t, "width")
	seq := int64(0)
	for range rapid.IntRange(0, 40).Draw(t, "runs") {
		run := make([]keyed, rng.IntN(300))
		for i := range run {
			key := fmt.Sprintf("%0*d", width, rng.IntN(distinct))
			if rng.IntN(8) == 0 {
				key = strings.TrimLeft(key, "0") + "\x00"
			}
			run[i].Key = key
		}
		slices.SortStableFunc(run, func(a, b keyed) int { return cmp.Compare(a.Key, b.Key) })
		for i := range run {
			run[i].Value = fmt.Sprint(seq)
			seq++
		}
		runsOf = append(runsOf, run)
	}
	return runsOf
}

// TestMergeIsASort merges runs under shares that hold all of them, some, and no more than two at a time.
func TestMergeIsASort(t *testing.T) {
	codec := codecOf[keyed](t)
	passes := 0
	rapid.Check(t, func(rt *rapid.T) {
		runsOf := drawRuns(rt)
		want := slices.Concat(runsOf...)
		slices.SortStableFunc(want, func(a, b keyed) int { return cmp.Compare(a.Key, b.Key) })
		spill, mem := &MemorySpill{}, memory.NewCheckedAllocator(memory.NewGoAllocator())
		share := rapid.SampledFrom([]int64{2 << 20, 4 << 20, 1 << 40}).Draw(rt, "share")
		var got []keyed
		err := runOnCoroutine(t, &Task{Spill: spill, Memory: mem}, share, func(task *Task) error {
			r, err := spillAll(task, codec, nil, runsOf)
			if err != nil {
				return err
			}
			open, err := r.openFew()
			if err != nil {
				return err
			}
			last := -1
			err = merge(task, open, func(rec *keyed, key []byte, run int) bool {
				if string(key) != rec.Key {
					rt.Fatalf("key %q of record %q", key, rec.Key)
				}
				if n := len(got); n == 0 || got[n-1].Key != rec.Key {
					last = -1
				}
				if run < last {
					rt.Fatalf("run %d after run %d for key %q", run, last, key)
				}
				last = run
				got = append(got, *rec)
				return true
			})
			passes += spill.Runs - len(runsOf)
			r.drop()
			return err
		})
		spill.Close()
		mem.AssertSize(t, 0)
		if err != nil || !slices.Equal(got, want) {
			rt.Fatalf("%d records, want %d in order: %v", len(got), len(want), err)
		}
		if spill.Open() != 0 {
			rt.Fatalf("%d runs are still open", spill.Open())
		}
	})
	if passes == 0 {
		t.Error("no run was merged into a longer one first")
	}
}

// TestMergeFolds adds up records of equal keys, within passes and in the last one.
func TestMergeFolds(t *testing.T) {
	codec := codecOf[keyed](t)
	var runsOf [][]keyed
	want := map[string]string{}
	for i := range 60 {
		var run []keyed
		for k := range 300 {
			key := fmt.Sprintf("%0900d", k*(i%7+1))
			run = append(run, keyed{key, fmt.Sprint(i, " ")})
			want[key] += fmt.Sprint(i, " ")
		}
		runsOf = append(runsOf, run)
	}
	fold := func(into, rec *keyed) { into.Value += rec.Value }
	spill := &MemorySpill{}
	got := map[string]string{}
	err := runOnCoroutine(t, &Task{Spill: spill}, 2<<20, func(task *Task) error {
		r, err := spillAll(task, codec, fold, runsOf)
		if err != nil {
			return err
		}
		open, err := r.openFew()
		if err != nil {
			return err
		}
		return mergeFolded(task, open, fold, func(rec *keyed, key []byte) bool {
			if _, twice := got[rec.Key]; twice || string(key) != rec.Key {
				t.Fatalf("record %q with key %q, twice: %v", rec.Key, key, twice)
			}
			got[rec.Key] = rec.Value
			return true
		})
	})
	if err != nil || !maps.Equal(got, want) || spill.Runs == len(runsOf) {
		t.Fatalf("%d keys of %d runs, want %d: %v", len(got), spill.Runs, len(want), err)
	}
}

// TestMergedRunsAreCounted merges many small runs into large ones, which take more to read.
func TestMergedRunsAreCounted(t *testing.T) {
	runsOf := make([][]keyed, 200)
	for i := range runsOf {
		for k := range 100 {
			runsOf[i] = append(runsOf[i], keyed{Key: fmt.Sprintf("%060d", k)})
		}
	}
	err := runOnCoroutine(t, &Task{}, 1<<20, func(task *Task) error {
		r, err := spillAll(task, codecOf[keyed](t), nil, runsOf)
		if err != nil {
			return err
		}
		before := r.cost()
		open, err := r.openFew()
		if err != nil {
			return err
		}
		defer closeAll(open)
		taken, needed := task.Share.Used(), int64(0)
		for _, run := range r.all {
			needed += run.ReadBytes()
		}
		if len(open) == len(runsOf) || r.cost() < 2*before || taken < needed || taken > 1<<20 {
			t.Errorf("%d runs are open, of %d bytes rather than %d; reading takes %d, %d were taken", len(open), r.cost(), before, needed, taken)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestRunsMakeSteps sees that writing runs and merging them, which no user code is part of, is not taken for a call that does not
// return.
func TestRunsMakeSteps(t *testing.T) {
	runsOf := make([][]keyed, 9)
	for i := range runsOf {
		for k := range 400 {
			runsOf[i] = append(runsOf[i], keyed{Key: fmt.Sprintf("%0500d", k)})
		}
	}
	spill := &MemorySpill{}
	err := runOnCoroutine(t, &Task{Spill: spill}, 2<<20, func(task *Task) error {
		r, err := spillAll(task, codecOf[keyed](t), nil, runsOf)
		if task.steps < spill.Rows {
			t.Errorf("%d steps while %d records were spilled", task.steps, spill.Rows)
		}
		if err != nil {
			return err
		}
		steps, rows := task.steps, spill.Rows
		open, err := r.openFew()
		if merged := spill.Rows - rows; merged == 0 || task.steps-steps < merged {
			t.Errorf("%d steps while %d records were merged", task.steps-steps, merged)
		}
		closeAll(open)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestMergeStops closes the runs when no more is wanted.
func TestMergeStops(t *testing.T) {
	spill := &MemorySpill{}
	err := runOnCoroutine(t, &Task{Spill: spill}, 1<<40, func(task *Task) error {
		r, err := spillAll(task, codecOf[keyed](t), nil, [][]keyed{{{"a", ""}, {"c", ""}}, {{"b", ""}}})
		if err != nil {
			return err
		}
		open, err := r.openFew()
		if err != nil {
			return err
		}
		return merge(task, open, func(rec *keyed, _ []byte, _ int) bool { return rec.Key < "b" })
	})
	if err != nil || spill.Open() != 0 {
		t.Errorf("%d runs are open: %v", spill.Open(), err)
	}
}

// TestMergeTellsOfEachFailure injects a failure into each call of a spill in turn, until nothing fails any more.
func TestMergeTellsOfEachFailure(t *testing.T) {
	codec := codecOf[keyed](t)
	runsOf := make([][]keyed, 9)
	for i := range runsOf {
		for k := range 400 {
			runsOf[i] = append(runsOf[i], keyed{Key: fmt.Sprintf("%0500d", k)})
		}
	}
	for n := 1; ; n++ {
		spill, rows := &MemorySpill{FailAt: n}, 0
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		err := runOnCoroutine(t, &Task{Spill: spill, Memory: mem}, 2<<20, func(task *Task) error {
			r, err := spillAll(task, codec, nil, runsOf)
			if err != nil {
				return err
			}
			open, err := r.openFew()
			if err != nil {
				return err
			}
			err = merge(task, open, func(*keyed, []byte, int) bool { rows++; return true })
			r.drop()
			return err
		})
		spill.Close()
		mem.AssertSize(t, 0)
		if spill.Calls < n {
			if err != nil || rows != 9*400 {
				t.Errorf("%d rows without a failure, want %d: %v", rows, 9*400, err)
			}
			if n < 50 {
				t.Errorf("only %d calls could fail", n)
			}
			return
		}
		if !errors.Is(err, ErrInjected) || spill.Open() != 0 {
			t.Errorf("failure at call %d: %v, %d runs open", n, err, spill.Open())
		}
	}
}

// TestRecordsLargerThanTheShare has runs of which no two can be read at a time.
func TestRecordsLargerThanTheShare(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	err := runOnCoroutine(t, &Task{}, 1<<20, func(task *Task) error {
		r, err := spillAll(task, codecOf[keyed](t), nil, [][]keyed{{{Key: long}}, {{Key: long}}})
		if err != nil {
			return err
		}
		_, err = r.openFew()
		return err
	})
	var tooLarge *budget.TooLargeError
	if !errors.As(err, &tooLarge) || fault.ClassOf(err) != fault.User {
		t.Errorf("error %v of class %v", err, fault.ClassOf(err))
	}
}

// BenchmarkMerge merges runs of 10-byte keys in memory.
func BenchmarkMerge(b *testing.B) {
	const records = 1 << 18
	for _, n := range []int{2, 16, 64} {
		b.Run(fmt.Sprintf("runs=%d", n), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			runsOf := make([][]keyed, n)
			for i := range records {
				key := binary.BigEndian.AppendUint64(nil, rng.Uint64())
				runsOf[i%n] = append(runsOf[i%n], keyed{string(key) + "ab", "value"})
			}
			for _, run := range runsOf {
				slices.SortFunc(run, func(a, b keyed) int { return cmp.Compare(a.Key, b.Key) })
			}
			OnCoroutine(b, func(t *Task) error {
				r, err := spillAll(t, codecOf[keyed](b), nil, runsOf)
				if err != nil {
					return err
				}
				b.ReportAllocs()
				for b.Loop() {
					open, err := r.openFew()
					if err != nil {
						return err
					}
					if err := merge(t, open, func(*keyed, []byte, int) bool { return true }); err != nil {
						return err
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
				return nil
			})
		})
	}
}
