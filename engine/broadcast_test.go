package engine_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine"
	"fletch/engine/plan"
	"fletch/local"
)

// pairs returns each of small with rec.
func pairs(rec int64, small []int64) iter.Seq[engine.KV[int64, int64]] {
	return func(yield func(engine.KV[int64, int64]) bool) {
		for _, s := range small {
			if !yield(engine.Pair(rec, s)) {
				return
			}
		}
	}
}

func TestBroadcast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(rapid.Int64(), 0, 50).Draw(t, "records")
		small := rapid.SliceOfN(rapid.Int64(), 0, 20).Draw(t, "small")
		job := engine.NewJob("test")
		in, other := engine.FromSlice(job, records), engine.FromSlice(job, small)
		if n := rapid.IntRange(0, 3).Draw(t, "partitions"); n > 0 { // a task then has several, and reads the side once
			in = engine.Repartition(in, n)
			records = dealt(records, n)
		}
		got, err := local.Collect(context.Background(), engine.Broadcast(in, other, pairs))
		if err != nil {
			t.Fatal(err)
		}
		var want []engine.KV[int64, int64]
		for _, rec := range records {
			want = slices.AppendSeq(want, pairs(rec, small))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// dealt returns the records of one task in the order of n partitions that they are dealt out to.
func dealt(records []int64, n int) (out []int64) {
	for p := range n {
		for i := p; i < len(records); i += n {
			out = append(out, records[i])
		}
	}
	return out
}

// TestBroadcastOfItself gives each record the greatest ones of the same dataset, which is read twice for it; what its code
// counts is counted once.
func TestBroadcastOfItself(t *testing.T) {
	const n = 1_000_000 // several splits
	job := engine.NewJob("test")
	in := engine.Process(engine.Range(job, 0, n), func(t *engine.Task, rec int64, emit func(int64)) error {
		t.Add("records", 1)
		emit(rec)
		return nil
	})
	top := engine.TopN(in, 2, engine.Desc(func(n int64) int64 { return n }))
	out := engine.Broadcast(in, top, func(rec int64, top []int64) iter.Seq[int64] {
		return slices.Values([]int64{rec, top[0], top[1]})
	})
	dir := filepath.Join(t.TempDir(), "out")
	engine.To(engine.Reduce(engine.KeyBy(engine.Map(out, func(n int64) int64 { return n }), func(n int64) bool { return n >= n-2 }), func(a, b int64) int64 { return a + b }),
		engine.Sink[engine.KV[bool, int64]]{
			Op: "plain", Location: plan.Location{Path: dir, Suffix: ".txt"},
			Open: func(_ *engine.Task, w io.Writer) (engine.Writer, error) { return plain{w}, nil },
		})
	report, err := local.Run(context.Background(), job, local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Counters["records"] != n || len(report.Stages) != 4 || report.Stages[2].Metrics.RowsIn != n || report.Stages[2].Metrics.RowsOut == 0 {
		t.Errorf("%v, %+v", report.Counters, report.Stages)
	}
	got := collect(t, engine.Sum(engine.KeyBy(out, func(int64) bool { return true })))
	if want := int64(n*(n-1)/2 + n*(2*n-3)); len(got) != 1 || got[0].Value != want {
		t.Errorf("the sum is %v, want %d", got, want)
	}
}

func TestBroadcastMistakes(t *testing.T) {
	job := engine.NewJob("test")
	in := engine.Range(job, 0, 1)
	engine.Broadcast[int64, int64, int64](in, in, nil)
	engine.Broadcast(in, engine.Range(engine.NewJob("other"), 0, 1), pairs)
	engine.Broadcast(in, in, pairs)
	err := fmt.Sprint(job.Err())
	for _, want := range []string{
		"Broadcast (engine/broadcast_test.go:101): the function is nil", "Broadcast (engine/broadcast_test.go:102): the small dataset belongs to another job",
	} {
		if !strings.Contains(err, want) {
			t.Errorf("%s: want %q", err, want)
		}
	}
	if strings.Count(err, "\n") != 1 {
		t.Errorf("%s: want two mistakes", err)
	}
}
