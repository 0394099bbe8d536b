package exec_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/exec"
	"fletch/fault"
)

func TestRunStopsEarly(t *testing.T) {
	job := engine.NewJob("test")
	in := engine.Range(job, 0, 1<<30)
	write(engine.TopN(in, 0, engine.Asc(func(n int64) int64 { return n })))
	b := newBench(t, job)
	if err := b.source(0, 1<<30); err != nil {
		t.Fatal(err)
	}
	if b.read != 1 || b.metrics.RowsOut != 0 || b.metrics.BytesIn != 100 {
		t.Errorf("%d batches were read, metrics %+v; want one of 100 bytes and no row", b.read, b.metrics)
	}
}

// TestTeeFeedsWhoWantsMore has consumers that stop at once before and after those that take all.
func TestTeeFeedsWhoWantsMore(t *testing.T) {
	const n = 10_000
	job := engine.NewJob("test")
	in := engine.Range(job, 0, n)
	calls, stopped := 0, 0
	counting := engine.Map(in, func(n int64) int64 { calls++; return n })
	stop := engine.Asc(func(n int64) int64 { stopped++; return n })
	write(engine.TopN(counting, 0, stop))
	all := write(counting)
	both := write(engine.Union(counting, engine.Map(in, func(n int64) int64 { return -n })))
	write(engine.TopN(counting, 0, stop))
	b := newBench(t, job)
	if err := b.source(0, n); err != nil {
		t.Fatal(err)
	}
	want := make([]int64, n)
	for i := range want {
		want[i] = int64(i)
	}
	if got := rowsOf[int64](t, b.ports[all]); !slices.Equal(got, want) || calls != n {
		t.Errorf("%d rows of %d calls, want 0 to %d in order", len(got), calls, n-1)
	}
	if stopped != 2 {
		t.Errorf("the consumers that stop were fed %d records, want one each", stopped)
	}
	if got := rowsOf[int64](t, b.ports[both]); len(got) != 2*n {
		t.Errorf("%d rows of the union, want %d", len(got), 2*n)
	}
}

// TestMapBatches holds rows that went through batches, of one row and of thousands, against those that went in.
func TestMapBatches(t *testing.T) {
	const n = 100_000 // of 8 bytes: several batches
	for name, f := range map[string]func(*engine.Task, arrow.Record) (arrow.Record, error){
		"same": func(_ *engine.Task, rec arrow.Record) (arrow.Record, error) { rec.Retain(); return rec, nil },
		"half": func(_ *engine.Task, rec arrow.Record) (arrow.Record, error) {
			return rec.NewSlice(0, rec.NumRows()/2), nil
		},
		"none": func(*engine.Task, arrow.Record) (arrow.Record, error) { return nil, nil },
	} {
		t.Run(name, func(t *testing.T) {
			job := engine.NewJob("test")
			batches := 0
			out := write(engine.MapBatches[int64, int64](engine.Range(job, 0, n), func(t *engine.Task, rec arrow.Record) (arrow.Record, error) {
				batches++
				return f(t, rec)
			}))
			b := newBench(t, job)
			if err := b.source(0, n); err != nil {
				t.Fatal(err)
			}
			got := rowsOf[int64](t, b.ports[out])
			if batches < 3 || !slices.IsSorted(got) || int64(len(got)) != b.metrics.RowsOut || b.metrics.RowsIn != n {
				t.Errorf("%d rows of %d batches, metrics %+v", len(got), batches, b.metrics)
			}
			if want := map[string]int{"same": n, "half": n / 2, "none": 0}[name]; len(got) != want {
				t.Errorf("%d rows, want %d", len(got), want)
			}
		})
	}
}

// TestMapBatchesIsNotCalledForNobody stops behind the first row of a batch; the second way to it brings one more.
func TestMapBatchesIsNotCalledForNobody(t *testing.T) {
	job := engine.NewJob("test")
	calls := 0
	in := engine.Range(job, 0, 1<<30)
	twice := engine.Union(engine.Map(in, func(n int64) int64 { return n }), engine.Map(in, func(n int64) int64 { return -n }))
	same := engine.MapBatches[int64, int64](twice, func(_ *engine.Task, rec arrow.Record) (arrow.Record, error) {
		calls++
		rec.Retain()
		return rec, nil
	})
	write(engine.TopN(same, 0, engine.Asc(func(n int64) int64 { return n })))
	b := newBench(t, job)
	if err := b.source(0, 1<<30); err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("%d calls, want one", calls)
	}
}

// TestPartsBelongToRows scatters rows of many sizes in many batches and wants each with the partition of its key.
func TestPartsBelongToRows(t *testing.T) {
	const n = 3000
	text := func(i int64) string { return strings.Repeat("x", int(i*i%3001)) }
	for name, exchange := range map[string]func(engine.Dataset[engine.KV[int64, string]]) int{
		"Scatter": func(in engine.Dataset[engine.KV[int64, string]]) int {
			return write(engine.GroupByKey(in, func(_ int64, vs iter.Seq[string]) iter.Seq[string] { return vs })) - 1
		},
		"Spread":  func(in engine.Dataset[engine.KV[int64, string]]) int { return write(engine.Repartition(in, 3)) - 1 },
		"Combine": func(in engine.Dataset[engine.KV[int64, string]]) int { return write(engine.Max(in)) - 1 },
	} {
		t.Run(name, func(t *testing.T) {
			job := engine.NewJob("test")
			x := exchange(engine.Map(engine.Range(job, 0, n), func(i int64) engine.KV[int64, string] { return engine.Pair(i, text(i)) }))
			b := newBench(t, job)
			b.shareBytes = 64 << 10
			if err := b.source(0, n); err != nil {
				t.Fatal(err)
			}
			p := b.ports[x]
			rows, parts := rowsOf[batch.KV[int64, string]](t, p), slices.Concat(p.parts...)
			if len(rows) != n || len(parts) != n || len(p.records) < 5 {
				t.Fatalf("%d rows with %d partitions in %d batches, want %d in several", len(rows), len(parts), len(p.records), n)
			}
			keyer, err := batch.KeyerOf[int64]()
			if err != nil {
				t.Fatal(err)
			}
			var v batch.Vector
			for i, kv := range rows {
				want := uint32(i % 3)
				if name != "Spread" {
					keyer.Normalise(&v, &kv.Key, 0, 1)
					want = batch.Partition(v.Words[0].Hash, 3)
				}
				if kv.Value != text(kv.Key) || parts[i] != want {
					t.Fatalf("row %d: key %d with %d bytes in partition %d, want %d", i, kv.Key, len(kv.Value), parts[i], want)
				}
			}
		})
	}
}

// TestLargeRowsMakeSmallBatches writes large rows behind many small ones: a batch is not a number of rows.
func TestLargeRowsMakeSmallBatches(t *testing.T) {
	const small, large, rowBytes, batchBytes = 5000, 100, 100 << 10, 256 << 10
	job := engine.NewJob("test")
	text := strings.Repeat("x", rowBytes)
	in := engine.Map(engine.Range(job, 0, small+large), func(i int64) string {
		if i < small {
			return "x"
		}
		return text
	})
	keyed := engine.Map(in, func(s string) engine.KV[int, string] { return engine.Pair(len(s), s) })
	outs := []int{
		write(in),
		write(engine.Repartition(in, 3)) - 1,
		write(engine.GroupByKey(keyed, func(_ int, vs iter.Seq[string]) iter.Seq[string] { return vs })) - 1,
	}
	b := newBench(t, job)
	if err := b.source(0, small+large); err != nil {
		t.Fatal(err)
	}
	for _, out := range outs {
		rows := int64(0)
		for i, rec := range b.ports[out].records {
			rows += rec.NumRows()
			if bytes := batch.SizeOf(rec); bytes > batchBytes+2*rowBytes+64<<10 {
				t.Errorf("batch %d of node %d has %d bytes in %d rows", i, out, bytes, rec.NumRows())
			}
		}
		if rows != small+large {
			t.Errorf("node %d has %d rows", out, rows)
		}
	}
}

// TestLargeItemsMakeSmallBatches reads a slice of strings that together are too much for one batch.
func TestLargeItemsMakeSmallBatches(t *testing.T) {
	job := engine.NewJob("test")
	items := slices.Repeat([]string{strings.Repeat("x", 2<<10)}, 1024)
	out := write(engine.FromSlice(job, items))
	b := newBench(t, job)
	if err := b.source(0, 1024); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf[string](t, b.ports[out]); b.read != 5 || !slices.Equal(got, items) {
		t.Errorf("%d items of %d batches, want 1024 of four and the end", len(got), b.read-1)
	}
}

// TestCombinerFlushes folds under shares for everything, for some keys and for next to nothing: the results are the same.
func TestCombinerFlushes(t *testing.T) {
	const n, partitions = 15_000, 3
	// Each key comes twice in a row, so that a table pays whatever its size, and again much later.
	key := func(i int64) string { i = i / 2 % 2500; return fmt.Sprintf("%0*d", 1+i%40, i*7919) }
	want, rowsMoved := map[string]string(nil), []int64(nil)
	for _, shareBytes := range []int64{1 << 30, 512 << 10, 128 << 10} {
		job := engine.NewJob("test")
		in := engine.Map(engine.Range(job, 0, n), func(i int64) engine.KV[string, string] { return engine.Pair(key(i), fmt.Sprint(i%10)) })
		concat := engine.Reduce(in, func(a, b string) string { return a + b }) // the order of values matters
		count := engine.Count(engine.Map(in, func(kv engine.KV[string, string]) string { return kv.Key }))
		counts := engine.Map(count, func(kv engine.KV[string, int64]) engine.KV[string, string] {
			return engine.Pair("count of "+kv.Key, fmt.Sprint(kv.Value))
		})
		distinct := engine.Map(engine.Distinct(in), func(kv engine.KV[string, string]) engine.KV[string, string] {
			return engine.Pair("distinct "+kv.Key+" "+kv.Value, "")
		})
		out := write(engine.Union(concat, counts, distinct))
		b := newBench(t, job)
		b.shareBytes, b.partitions = shareBytes, partitions
		if err := b.source(0, n); err != nil {
			t.Fatal(err)
		}
		rowsMoved = append(rowsMoved, b.metrics.RowsOut)
		b.shareBytes = max(shareBytes, 1<<20)
		for stage := range b.stages[1:] {
			for p := range partitions {
				if err := b.exchange(stage+1, p); err != nil {
					t.Fatal(err)
				}
			}
		}
		got := map[string]string{}
		for _, kv := range rowsOf[engine.KV[string, string]](t, b.ports[out]) {
			if other, ok := got[kv.Key]; ok {
				t.Fatalf("%q came out twice, with %q and %q", kv.Key, other, kv.Value)
			}
			got[kv.Key] = kv.Value
		}
		if want == nil {
			want = got
		}
		if !maps.Equal(got, want) {
			t.Errorf("the results under a share of %d bytes differ from those of one that holds all", shareBytes)
		}
	}
	if !slices.IsSortedFunc(rowsMoved, cmp.Compare[int64]) || rowsMoved[0] == rowsMoved[1] || rowsMoved[1] == rowsMoved[2] {
		t.Errorf("%d rows were moved: the tables were not flushed as they should", rowsMoved)
	}
}

// TestReadBytesAreCounted counts what a source says that it has read, up to its end, also where its batches are kept.
func TestReadBytesAreCounted(t *testing.T) {
	job := engine.NewJob("test")
	in := engine.KeyBy(engine.Range(job, 0, 1000), func(n int64) int64 { return n % 10 })
	write(engine.GroupByKey(in, func(_ int64, ns iter.Seq[int64]) iter.Seq[int64] { return ns }))
	b := newBench(t, job)
	b.partitions = 1
	for stage, run := range []func() error{func() error { return b.source(0, 1000) }, func() error { return b.exchange(1, 0) }} {
		if err := run(); err != nil {
			t.Fatal(err)
		}
		if b.metrics.RowsIn != 1000 || b.metrics.RowsOut != 1000 || b.metrics.BytesIn != int64(100*b.read) {
			t.Errorf("stage %d: metrics %+v, want 1000 rows in and out and %d bytes", stage, b.metrics, 100*b.read)
		}
	}
}

// TestCancelledFunctionsAreNotBlamed has a function that returns what its context says.
func TestCancelledFunctionsAreNotBlamed(t *testing.T) {
	for want, end := range map[fault.Class]func(context.CancelFunc){fault.User: func(context.CancelFunc) {}, fault.Cancelled: func(stop context.CancelFunc) { stop() }} {
		job := engine.NewJob("test")
		write(engine.Process(engine.Range(job, 0, 1), func(t *engine.Task, n int64, _ func(int64)) error {
			return cmp.Or(t.Context().Err(), errors.New("of its own"))
		}))
		b := newBench(t, job)
		err := b.run(0, func(task *exec.Task) exec.Source {
			ctx, stop := context.WithCancel(task.Context)
			t.Cleanup(stop)
			end(stop)
			task.Context = ctx
			return b.open(task, 0, 1)
		})
		if fault.ClassOf(err) != want {
			t.Errorf("error %v of class %v, want %v", err, fault.ClassOf(err), want)
		}
	}
}

// TestFailuresReleaseBatches fails where builders, tables and groups hold batches; newBench checks that none is left.
func TestFailuresReleaseBatches(t *testing.T) {
	for way, fail := range map[string]func(){"panic": func() { panic("ouch") }, "goexit": runtime.Goexit} {
		at := func(n int64) func(int64) int64 {
			return func(m int64) int64 {
				if m == n {
					fail()
				}
				return m
			}
		}
		t.Run(way+" beside builders", func(t *testing.T) {
			job := engine.NewJob("test")
			in := engine.Map(engine.Range(job, 0, 5000), at(4321))
			write(engine.Union(in, engine.Repartition(in, 2), engine.Distinct(in)))
			b := newBench(t, job)
			wantFailure(t, b.source(0, 5000))
		})
		t.Run(way+" in a batch", func(t *testing.T) {
			job := engine.NewJob("test")
			same := engine.MapBatches[int64, int64](engine.Range(job, 0, 100_000), func(_ *engine.Task, rec arrow.Record) (arrow.Record, error) {
				rec.Retain()
				return rec, nil
			})
			write(engine.Map(same, at(40_000)))
			b := newBench(t, job)
			wantFailure(t, b.source(0, 100_000))
		})
		t.Run(way+" in a group", func(t *testing.T) {
			job := engine.NewJob("test")
			in := engine.KeyBy(engine.Range(job, 0, 1000), func(n int64) int64 { return n % 10 })
			write(engine.GroupByKey(in, func(k int64, ns iter.Seq[int64]) iter.Seq[int64] {
				return func(yield func(int64) bool) {
					for n := range ns {
						yield(at(777)(n))
					}
				}
			}))
			b := newBench(t, job)
			b.partitions = 1
			if err := b.source(0, 1000); err != nil {
				t.Fatal(err)
			}
			wantFailure(t, b.exchange(1, 0))
		})
	}
}

func wantFailure(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*exec.OperatorError](err); !ok {
		t.Errorf("error %v, want one of an operator", err)
	}
}
