package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"fletch/engine"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func collect[T any](t testing.TB, in engine.Dataset[T]) []T {
	t.Helper()
	records, err := local.Collect(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// TestMistakes lists what can be wrong with a graph. Every error has the file and line of the operator.
func TestMistakes(t *testing.T) {
	type unsupported struct{ C chan int }
	one := func(job *engine.Job) engine.Dataset[int64] { return engine.Range(job, 0, 1) }
	for _, c := range []struct {
		name  string
		build func(job *engine.Job)
		want  string
	}{
		{"unsupported type", func(job *engine.Job) {
			engine.Map(one(job), func(int64) unsupported { return unsupported{} })
		}, "field C has type chan int, which is not supported"},
		{"key without an order", func(job *engine.Job) {
			engine.KeyBy(one(job), func(int64) map[string]int { return nil })
		}, "field Key has type map[string]int, which is not supported"},
		{"nil map function", func(job *engine.Job) { engine.Map[int64, int64](one(job), nil) }, "Map (engine/engine_test.go"},
		{"nil key function", func(job *engine.Job) { engine.KeyBy[int64](one(job), nil) }, "KeyBy (engine/engine_test.go"},
		{"nil fold", func(job *engine.Job) {
			engine.Reduce(engine.KeyBy(one(job), func(n int64) int64 { return n }), nil)
		}, "the function is nil"},
		{"negative top", func(job *engine.Job) {
			engine.TopN(one(job), -1, engine.Asc(func(n int64) int64 { return n }))
		}, "the number of records, -1, is negative"},
		{"top without an order", func(job *engine.Job) { engine.TopN(one(job), 1) }, "no order is given; use Asc or Desc"},
		{"top with an empty order", func(job *engine.Job) { engine.TopN(one(job), 1, engine.Order[int64]{}) }, "an order is the zero value"},
		{"top with a nil key", func(job *engine.Job) { engine.TopN(one(job), 1, engine.Desc[int64, int64](nil)) }, "the function is nil"},
		{"no partitions", func(job *engine.Job) { engine.Repartition(one(job), 0) }, "the number of partitions, 0, is below 1"},
		{"two jobs", func(job *engine.Job) { engine.Union(one(job), one(engine.NewJob("other"))) }, "dataset 2 belongs to another job"},
		{"range", func(job *engine.Job) { engine.Range(job, 2, 1) }, "the range from 2 to 1 is not one"},
		{"source without open", func(job *engine.Job) { engine.From(job, engine.Source[int]{Op: "mine"}) }, "mine (engine/engine_test.go"},
		{"sink without a path", func(job *engine.Job) { engine.To(one(job), engine.Sink[int64]{Op: "mine"}) }, "no output directory is given"},
		{"nothing written", func(job *engine.Job) { one(job) }, "writes nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			job := engine.NewJob("test")
			c.build(job)
			err := job.Err()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if err != nil && c.name != "nothing written" && !strings.Contains(err.Error(), " (engine/engine_test.go:") {
				t.Errorf("error %v, want one with the line of the operator", err)
			}
		})
	}
}

func TestJobWithoutName(t *testing.T) {
	err := engine.NewJob("").Err()
	if err == nil || !strings.HasPrefix(err.Error(), "NewJob (engine/engine_test.go:") {
		t.Errorf("error %v, want one with the line of NewJob", err)
	}
}

// TestWrongTypeIsToldOnce sees that what only follows from a wrong type is left out, and nothing else.
func TestWrongTypeIsToldOnce(t *testing.T) {
	job := engine.NewJob("test")
	funcs := engine.Map(engine.Range(job, 0, 1), func(int64) func() { return nil })
	engine.Count(engine.Filter(funcs, func(func()) bool { return true }))
	engine.Repartition(funcs, 0)
	err := job.Err()
	if err == nil || strings.Count(err.Error(), "not supported") != 1 || strings.Count(err.Error(), "Map (") != 1 {
		t.Errorf("error %v, want the type of Map alone", err)
	}
	if err == nil || !strings.Contains(err.Error(), "below 1") {
		t.Errorf("error %v, want the mistake of Repartition too", err)
	}
}

func TestZeroDatasetPanics(t *testing.T) {
	defer func() {
		if v := fmt.Sprint(recover()); !strings.Contains(v, "Distinct (engine/engine_test.go") || !strings.Contains(v, "zero value") {
			t.Errorf("panic %q, want one that names Distinct and the file", v)
		}
	}()
	engine.Distinct(engine.Dataset[int]{})
}

// TestUserFailures runs functions that fail in every way they can. The error has the operator, its line and the record.
func TestUserFailures(t *testing.T) {
	boom := errors.New("boom")
	at := func(n int64, f func()) func(int64) int64 {
		return func(m int64) int64 {
			if m == n {
				f()
			}
			return m
		}
	}
	for _, c := range []struct {
		name  string
		build func(in engine.Dataset[int64]) engine.Dataset[int64]
		want  []string
	}{
		{"panic", func(in engine.Dataset[int64]) engine.Dataset[int64] {
			return engine.Map(in, at(777, func() { panic("ouch") }))
		}, []string{"Map (engine/engine_test.go:", "at the record item 777", "panic: ouch"}},
		{"error as panic", func(in engine.Dataset[int64]) engine.Dataset[int64] {
			return engine.Map(in, at(5, func() { panic(boom) }))
		}, []string{"Map (engine/engine_test.go:", "boom"}},
		{"goexit", func(in engine.Dataset[int64]) engine.Dataset[int64] {
			return engine.Map(in, at(3, runtime.Goexit))
		}, []string{"Map (engine/engine_test.go:", "at the record item 3", "runtime.Goexit"}},
		{"process error", func(in engine.Dataset[int64]) engine.Dataset[int64] {
			return engine.Process(in, func(_ *engine.Task, n int64, emit func(int64)) error {
				if n == 9 {
					return boom
				}
				emit(n)
				return nil
			})
		}, []string{"Process (engine/engine_test.go:", "at the record item 9", "boom"}},
		{"batch error", func(in engine.Dataset[int64]) engine.Dataset[int64] {
			return engine.MapBatches[int64, int64](in, func(*engine.Task, arrow.Record) (arrow.Record, error) { return nil, boom })
		}, []string{"MapBatches (engine/engine_test.go:", "boom"}},
		{"after an inner operator", func(in engine.Dataset[int64]) engine.Dataset[int64] {
			twice := engine.FlatMap(in, func(n int64) iter.Seq[int64] {
				return func(yield func(int64) bool) {
					yield(n)
					panic("outer")
				}
			})
			return engine.Map(twice, func(n int64) int64 { return n })
		}, []string{"FlatMap (engine/engine_test.go:", "panic: outer"}},
		{"fold", func(in engine.Dataset[int64]) engine.Dataset[int64] {
			one := engine.KeyBy(in, func(int64) bool { return true })
			return engine.Map(engine.Reduce(one, func(a, b int64) int64 { panic("fold") }), func(kv engine.KV[bool, int64]) int64 { return kv.Value })
		}, []string{"Reduce (engine/engine_test.go:", "panic: fold"}},
		{"group", func(in engine.Dataset[int64]) engine.Dataset[int64] {
			return engine.GroupByKey(engine.KeyBy(in, func(n int64) int64 { return n % 2 }), func(_ int64, ns iter.Seq[int64]) iter.Seq[int64] {
				_ = slices.Collect(ns)
				_ = slices.Collect(ns)
				return ns
			})
		}, []string{"GroupByKey (engine/engine_test.go:", "can be ranged over once"}},
		{"order", func(in engine.Dataset[int64]) engine.Dataset[int64] {
			return engine.TopN(in, 3, engine.Asc(func(n int64) int64 { panic("order") }))
		}, []string{"TopN (engine/engine_test.go:", "panic: order"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, err := local.Collect(context.Background(), c.build(engine.Range(engine.NewJob("test"), 0, 1000)))
			if err == nil {
				t.Fatalf("no error, and %d records", len(records))
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want one with %q", err, want)
				}
			}
			var op *exec.OperatorError
			if !errors.As(err, &op) || fault.ClassOf(err) != fault.User {
				t.Errorf("error %#v is no OperatorError of class user", err)
			}
			if strings.Contains(c.want[len(c.want)-1], "boom") && !errors.Is(err, boom) {
				t.Error("the error of the function is not wrapped")
			}
		})
	}
}

// TestComputedOnce counts the calls of a function whose result several operators read, below and above a shuffle.
func TestComputedOnce(t *testing.T) {
	var calls atomic.Int64
	job := engine.NewJob("test")
	base := engine.Map(engine.Range(job, 0, 1000), func(n int64) int64 { calls.Add(1); return n % 10 })
	distinct := engine.Distinct(base)
	all := engine.Union(base, distinct, distinct, engine.Map(base, func(n int64) int64 { return -n }))
	got := map[int64]int{}
	for _, n := range collect(t, all) {
		got[n]++
	}
	want := map[int64]int{0: 100 + 2 + 100}
	for n := int64(1); n < 10; n++ {
		want[n], want[-n] = 100+2, 100
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if calls.Load() != 1000 {
		t.Errorf("the function was called %d times, want 1000", calls.Load())
	}
}

func TestUnionWithItself(t *testing.T) {
	in := engine.Range(engine.NewJob("test"), 0, 3)
	got := collect(t, engine.Union(in, in))
	if slices.Sort(got); !slices.Equal(got, []int64{0, 0, 1, 1, 2, 2}) {
		t.Errorf("got %v", got)
	}
}

func TestSeveralShuffles(t *testing.T) {
	words := engine.FromSlice(engine.NewJob("test"), strings.Fields("a b a c a b d e e d"))
	counts := engine.Count(words)
	counted := engine.Count(engine.Map(counts, func(kv engine.KV[string, int64]) int64 { return kv.Value }))
	got := collect(t, engine.TopN(counted, 1, engine.Desc(func(kv engine.KV[int64, int64]) int64 { return kv.Value })))
	if want := []engine.KV[int64, int64]{engine.Pair[int64, int64](2, 3)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestTopZero has a source without an end in sight: only an early stop makes it end.
func TestTopZero(t *testing.T) {
	got := collect(t, engine.TopN(engine.Range(engine.NewJob("test"), 0, math.MaxInt64), 0, engine.Asc(func(n int64) int64 { return n })))
	if len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
}

func TestEmptyInputs(t *testing.T) {
	job := engine.NewJob("test")
	empty := engine.FromSlice(job, []engine.KV[string, int]{})
	if got := collect(t, empty); len(got) != 0 {
		t.Errorf("FromSlice: %v", got)
	}
	if got := collect(t, engine.Sum(empty)); len(got) != 0 {
		t.Errorf("Sum: %v", got)
	}
	group := engine.GroupByKey(empty, func(string, iter.Seq[int]) iter.Seq[int] { return slices.Values([]int{1}) })
	if got := collect(t, group); len(got) != 0 {
		t.Errorf("GroupByKey: %v", got)
	}
}

func TestFloatKeys(t *testing.T) {
	in := engine.FromSlice(engine.NewJob("test"), []float64{math.NaN(), 0, math.Copysign(0, -1), math.Inf(1), -1, math.NaN()})
	if got, want := fmt.Sprint(collect(t, engine.Count(in))), "[{-1 1} {0 2} {+Inf 1} {NaN 2}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSameRecords runs a random job under two configurations and wants the same records in the same order.
func TestSameRecords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		records := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) engine.KV[string, string] {
			return engine.Pair(rapid.SampledFrom([]string{"", "a", "b", "a key that is longer than fifteen bytes", "ab"}).Draw(rt, "key"),
				rapid.StringN(0, 3, -1).Draw(rt, "value"))
		}), 0, 300).Draw(rt, "records")
		run := func(c local.Config) []engine.KV[string, string] {
			in := engine.Repartition(engine.FromSlice(engine.NewJob("test"), records), 3)
			concat := engine.Reduce(in, func(a, b string) string { return a + b })
			groups := engine.GroupByKey(in, func(k string, vs iter.Seq[string]) iter.Seq[engine.KV[string, string]] {
				return slices.Values([]engine.KV[string, string]{engine.Pair(k, strings.Join(slices.Collect(vs), ""))})
			}, engine.Unordered())
			c.Partitions = 4
			got, err := local.CollectWith(context.Background(), engine.Union(concat, groups), c)
			if err != nil {
				rt.Fatal(err)
			}
			return got
		}
		first := run(local.Config{Parallelism: 1})
		second := run(local.Config{Parallelism: 4, MemoryBytes: 64 << 20})
		if !slices.Equal(first, second) {
			rt.Fatalf("the results differ:\n%q\n%q", first, second)
		}
		keys := map[string]bool{}
		for _, r := range records {
			keys[r.Key] = true
		}
		if n := len(first); n != 2*len(keys) {
			rt.Fatalf("%d results for %d keys", n, len(keys))
		}
	})
}

func TestCounters(t *testing.T) {
	job := engine.NewJob("test")
	in := engine.Process(engine.Range(job, 0, 100), func(t *engine.Task, n int64, emit func(int64)) error {
		t.Add("odd", n%2)
		emit(n)
		return nil
	})
	sink := engine.Only(in, engine.Sink[int64]{Op: "plain", Location: location(t), Open: openPlain})
	out, err := local.Run(context.Background(), sink, local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Counters["odd"] != 50 {
		t.Errorf("counters %v, want odd: 50", out.Counters)
	}
}

// TestCountersAreFew takes data for the names of counters.
func TestCountersAreFew(t *testing.T) {
	tests := []struct {
		name, want string
		counter    func(n int64) string
	}{
		{"many", "more than 1000 counters, the last is \"1000\"", func(n int64) string { return fmt.Sprint(n) }},
		{"long", "a counter's name has 257 bytes", func(int64) string { return strings.Repeat("x", 257) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := engine.Process(engine.Range(engine.NewJob("test"), 0, 2000), func(t *engine.Task, n int64, _ func(int64)) error {
				t.Add(test.counter(n), 1)
				return nil
			})
			_, err := local.Collect(context.Background(), in)
			if fault.ClassOf(err) != fault.User || !strings.Contains(fmt.Sprint(err), test.want) || !strings.Contains(err.Error(), "engine_test.go") {
				t.Errorf("class %v, error %v: want %q", fault.ClassOf(err), err, test.want)
			}
		})
	}
}

func location(t *testing.T) plan.Location {
	return plan.Location{Path: filepath.Join(t.TempDir(), "out"), Suffix: ".txt"}
}

func openPlain(_ *engine.Task, w io.Writer) (engine.Writer, error) { return plain{w}, nil }
