package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/plan"
	"fletch/local"
)

// show computes a dataset and prints a record a line.
func show[T any](in engine.Dataset[T]) {
	records, err := local.Collect(context.Background(), in)
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	for _, r := range records {
		fmt.Printf("%v\n", r)
	}
}

var poem = []string{"the rose is red", "the violet is blue", "the rose is a rose"}

func ExampleFromSlice() {
	job := engine.NewJob("example")
	show(engine.FromSlice(job, []string{"b", "a"}))
	// Output:
	// b
	// a
}

func ExampleRange() {
	job := engine.NewJob("example")
	show(engine.Range(job, 3, 6))
	// Output:
	// 3
	// 4
	// 5
}

func ExampleMap() {
	job := engine.NewJob("example")
	show(engine.Map(engine.Range(job, 1, 4), func(n int64) string { return strings.Repeat("*", int(n)) }))
	// Output:
	// *
	// **
	// ***
}

func ExampleFilter() {
	job := engine.NewJob("example")
	show(engine.Filter(engine.Range(job, 0, 6), func(n int64) bool { return n%2 == 1 }))
	// Output:
	// 1
	// 3
	// 5
}

func ExampleFlatMap() {
	job := engine.NewJob("example")
	show(engine.FlatMap(engine.FromSlice(job, poem[:1]), strings.FieldsSeq))
	// Output:
	// the
	// rose
	// is
	// red
}

func ExampleProcess() {
	job := engine.NewJob("example")
	fields := engine.FromSlice(job, []string{"7", "seven", "8"})
	numbers := engine.Process(fields, func(t *engine.Task, field string, emit func(int)) error {
		n, err := strconv.Atoi(field)
		if errors.Is(err, strconv.ErrSyntax) {
			t.Add("fields that are no number", 1)
			return nil
		}
		if err != nil {
			return err
		}
		emit(n)
		return nil
	})
	show(numbers)
	// Output:
	// 7
	// 8
}

func ExampleMapBatches() {
	job := engine.NewJob("example")
	lengths := engine.MapBatches[string, int32](engine.FromSlice(job, poem), func(t *engine.Task, rec arrow.Record) (arrow.Record, error) {
		lines := rec.Column(0).(*array.String)
		b := array.NewInt32Builder(t.Allocator())
		defer b.Release()
		for i := range lines.Len() {
			b.Append(int32(lines.ValueLen(i)))
		}
		column := b.NewArray()
		defer column.Release()
		schema := arrow.NewSchema([]arrow.Field{{Name: "value", Type: arrow.PrimitiveTypes.Int32}}, nil)
		return array.NewRecord(schema, []arrow.Array{column}, int64(lines.Len())), nil
	})
	show(lengths)
	// Output:
	// 15
	// 18
	// 18
}

func ExampleKeyBy() {
	job := engine.NewJob("example")
	show(engine.KeyBy(engine.FromSlice(job, []string{"a", "bb"}), func(s string) int { return len(s) }))
	// Output:
	// {1 a}
	// {2 bb}
}

func ExampleReduce() {
	job := engine.NewJob("example")
	byLength := engine.KeyBy(engine.FlatMap(engine.FromSlice(job, poem), strings.FieldsSeq), func(w string) int { return len(w) })
	show(engine.Reduce(byLength, func(a, b string) string { return a + " " + b }))
	// Output:
	// {1 a}
	// {2 is is is}
	// {3 the red the the}
	// {4 rose blue rose rose}
	// {6 violet}
}

// spread aggregates integers to the distance between the least and the greatest.
type spread struct{}

type bounds struct {
	Some     bool
	Min, Max int64
}

func (spread) Add(acc *bounds, v int64) { spread{}.Merge(acc, bounds{true, v, v}) }

func (spread) Merge(acc *bounds, o bounds) {
	if !acc.Some {
		*acc = o
	} else if o.Some {
		acc.Min, acc.Max = min(acc.Min, o.Min), max(acc.Max, o.Max)
	}
}

func (spread) Finish(acc bounds) int64 { return acc.Max - acc.Min }

func ExampleAggregate() {
	job := engine.NewJob("example")
	byDigit := engine.KeyBy(engine.Range(job, 0, 25), func(n int64) int64 { return n % 10 })
	show(engine.Filter(engine.Aggregate(byDigit, spread{}), func(kv engine.KV[int64, int64]) bool { return kv.Key > 3 && kv.Key < 6 }))
	// Output:
	// {4 20}
	// {5 10}
}

func ExampleCount() {
	job := engine.NewJob("example")
	show(engine.Count(engine.FlatMap(engine.FromSlice(job, poem), strings.FieldsSeq)))
	// Output:
	// {a 1}
	// {blue 1}
	// {is 3}
	// {red 1}
	// {rose 3}
	// {the 3}
	// {violet 1}
}

func sales(job *engine.Job) engine.Dataset[engine.KV[string, float64]] {
	return engine.FromSlice(job, []engine.KV[string, float64]{
		engine.Pair("tea", 2.5), engine.Pair("coffee", 3.0), engine.Pair("tea", 1.5), engine.Pair("coffee", 4.0),
	})
}

func ExampleSum() {
	show(engine.Sum(sales(engine.NewJob("example"))))
	// Output:
	// {coffee 7}
	// {tea 4}
}

func ExampleMin() {
	show(engine.Min(sales(engine.NewJob("example"))))
	// Output:
	// {coffee 3}
	// {tea 1.5}
}

func ExampleMax() {
	show(engine.Max(sales(engine.NewJob("example"))))
	// Output:
	// {coffee 4}
	// {tea 2.5}
}

func ExampleMean() {
	show(engine.Mean(sales(engine.NewJob("example"))))
	// Output:
	// {coffee 3.5}
	// {tea 2}
}

func ExampleGroupByKey() {
	job := engine.NewJob("example")
	longest := engine.GroupByKey(
		engine.KeyBy(engine.FlatMap(engine.FromSlice(job, poem), strings.FieldsSeq), func(w string) string { return w[:1] }),
		func(letter string, words iter.Seq[string]) iter.Seq[string] {
			distinct := maps.Collect(func(yield func(string, bool) bool) {
				for w := range words {
					if !yield(w, true) {
						return
					}
				}
			})
			return slices.Values([]string{letter + ": " + strings.Join(slices.Sorted(maps.Keys(distinct)), " ")})
		})
	show(longest)
	// Output:
	// a: a
	// b: blue
	// i: is
	// r: red rose
	// t: the
	// v: violet
}

func ExampleDistinct() {
	job := engine.NewJob("example")
	show(engine.Distinct(engine.FromSlice(job, []string{"b", "a", "b"})))
	// Output:
	// a
	// b
}

func ExampleTopN() {
	job := engine.NewJob("example")
	counts := engine.Count(engine.FlatMap(engine.FromSlice(job, poem), strings.FieldsSeq))
	show(engine.TopN(counts, 4,
		engine.Desc(func(kv engine.KV[string, int64]) int64 { return kv.Value }),
		engine.Asc(func(kv engine.KV[string, int64]) string { return kv.Key })))
	// Output:
	// {is 3}
	// {rose 3}
	// {the 3}
	// {a 1}
}

func ExampleUnion() {
	job := engine.NewJob("example")
	show(engine.Union(engine.FromSlice(job, []string{"a"}), engine.FromSlice(job, []string{"b", "c"})))
	// Output:
	// a
	// b
	// c
}

func ExampleRepartition() {
	job := engine.NewJob("example")
	show(engine.Repartition(engine.Range(job, 0, 5), 2))
	// Output:
	// 0
	// 2
	// 4
	// 1
	// 3
}

func ExampleUnordered() {
	job := engine.NewJob("example")
	counts := engine.Count(engine.FromSlice(job, []string{"b", "a", "b"}), engine.Unordered())
	show(engine.Map(counts, func(kv engine.KV[string, int64]) int64 { return kv.Value * kv.Value }))
	// Unordered output:
	// 1
	// 4
}

func ExampleMapReduce() {
	job := engine.NewJob("example")
	index := engine.MapReduce(engine.FromSlice(job, poem),
		func(line string) iter.Seq2[string, int] {
			return func(yield func(string, int) bool) {
				for w := range strings.FieldsSeq(line) {
					if !yield(w, len(line)) {
						return
					}
				}
			}
		},
		func(word string, lengths iter.Seq[int]) iter.Seq[string] {
			return slices.Values([]string{fmt.Sprint(word, " ", slices.Collect(lengths))})
		})
	show(index)
	// Output:
	// a [18]
	// blue [18]
	// is [15 18 18]
	// red [15]
	// rose [15 18 18]
	// the [15 18 18]
	// violet [18]
}

// squares is a source of one's own: the items are made, not read.
type squares struct {
	builder   *batch.Builder[int64]
	next, end int64
}

func (s *squares) Next() (arrow.Record, error) {
	if s.next == s.end {
		return nil, io.EOF
	}
	for ; s.next < s.end; s.next++ {
		if err := s.builder.Append([]int64{s.next * s.next}); err != nil {
			return nil, err
		}
	}
	return s.builder.Record(), nil
}

func (s *squares) Position(row int) string { return fmt.Sprint("square ", row) }
func (s *squares) Close() error            { s.builder.Release(); return nil }

func ExampleFrom() {
	codec, err := batch.CodecOf[int64]()
	if err != nil {
		panic(err)
	}
	job := engine.NewJob("example")
	show(engine.From(job, engine.Source[int64]{
		Op:    "squares",
		Input: plan.Input{Items: 4, ItemBytes: 8},
		Open: func(t *engine.Task, split plan.Split) (engine.Reader, error) {
			return &squares{codec.NewBuilder(t.Allocator()), split.First, split.First + split.Count}, nil
		},
	}))
	// Output:
	// 0
	// 1
	// 4
	// 9
}

// plain is a format of one's own: each record as Go prints it.
type plain struct{ w io.Writer }

func (p plain) Write(rec arrow.Record) error {
	for i := range int(rec.NumRows()) {
		if _, err := fmt.Fprintln(p.w, rec.Column(0).ValueStr(i)); err != nil {
			return err
		}
	}
	return nil
}

func (p plain) Close() error { return nil }

func ExampleTo() {
	job := engine.NewJob("example")
	engine.To(engine.Range(job, 0, 3), engine.Sink[int64]{
		Op:       "plain",
		Location: plan.Location{Path: "numbers", Suffix: ".txt"},
		Open:     func(_ *engine.Task, w io.Writer) (engine.Writer, error) { return plain{w}, nil },
	})
	graph, err := job.Graph()
	fmt.Println(len(graph.Nodes), err)
	// Output: 2 <nil>
}

func ExampleJob_Err() {
	job := engine.NewJob("example")
	engine.Distinct(engine.Map(engine.Range(job, 0, 3), func(n int64) struct{ F func() } { return struct{ F func() }{} }))
	fmt.Println(strings.Split(job.Err().Error(), "\n")[0])
	// Output: Map (engine/example_test.go:389): type struct { F func() }: field F has type func(), which is not supported; use bool, numbers, string, []byte, time.Time, time.Duration, Optional, and arrays, slices and structs of these
}

func ExampleBroadcast() {
	job := engine.NewJob("example")
	orders := engine.FromSlice(job, []engine.KV[string, int64]{engine.Pair("de", int64(100)), engine.Pair("fr", int64(50)), engine.Pair("de", int64(10))})
	rates := engine.FromSlice(job, []engine.KV[string, int64]{engine.Pair("de", int64(19)), engine.Pair("fr", int64(20))})
	show(engine.Broadcast(orders, rates, func(order engine.KV[string, int64], rates []engine.KV[string, int64]) iter.Seq[string] {
		return func(yield func(string) bool) {
			for _, rate := range rates {
				if rate.Key == order.Key {
					yield(fmt.Sprintf("%s: %d + %d%%", order.Key, order.Value, rate.Value))
				}
			}
		}
	}))
	// Output:
	// de: 100 + 19%
	// fr: 50 + 20%
	// de: 10 + 19%
}

func ExampleSortBy() {
	job := engine.NewJob("example")
	counts := engine.Count(engine.FlatMap(engine.FromSlice(job, poem), strings.FieldsSeq))
	show(engine.SortBy(counts,
		engine.Desc(func(kv engine.KV[string, int64]) int64 { return kv.Value }),
		engine.Asc(func(kv engine.KV[string, int64]) string { return kv.Key })))
	// Output:
	// {is 3}
	// {rose 3}
	// {the 3}
	// {a 1}
	// {blue 1}
	// {red 1}
	// {violet 1}
}

func ExampleSample() {
	job := engine.NewJob("example")
	show(engine.Sample(engine.Range(job, 0, 1000), 0.005, 1)) // about one in 200
	// Output:
	// 54
	// 193
	// 204
	// 339
	// 616
	// 786
	// 811
	// 813
}

func ExampleCoGroup() {
	job := engine.NewJob("example")
	show(engine.CoGroup(orders(job), cities(job), func(name string, orders, cities iter.Seq[string]) iter.Seq[string] {
		return slices.Values([]string{fmt.Sprint(name, " ", slices.Collect(orders), " ", slices.Collect(cities))})
	}))
	// Output:
	// ann [tea jam] [Oslo]
	// bob [rye] []
	// eve [] [Rome]
}

// orders and cities are two sides to join: bob has no city, eve has no order.
func orders(job *engine.Job) engine.Dataset[engine.KV[string, string]] {
	return engine.FromSlice(job, []engine.KV[string, string]{engine.Pair("ann", "tea"), engine.Pair("bob", "rye"), engine.Pair("ann", "jam")})
}

func cities(job *engine.Job) engine.Dataset[engine.KV[string, string]] {
	return engine.FromSlice(job, []engine.KV[string, string]{engine.Pair("ann", "Oslo"), engine.Pair("eve", "Rome")})
}

func ExampleJoin() {
	job := engine.NewJob("example")
	show(engine.Join(orders(job), cities(job)))
	// Unordered output:
	// {ann {tea Oslo}}
	// {ann {jam Oslo}}
}

func ExampleLeftJoin() {
	job := engine.NewJob("example")
	joined := engine.LeftJoin(orders(job), cities(job))
	show(engine.Map(joined, func(kv engine.KV[string, engine.Joined[string, engine.Optional[string]]]) string {
		if city := kv.Value.Right; city.Valid {
			return kv.Value.Left + " to " + city.Value
		}
		return kv.Value.Left + " to nowhere"
	}))
	// Unordered output:
	// tea to Oslo
	// jam to Oslo
	// rye to nowhere
}

func ExampleRightJoin() {
	job := engine.NewJob("example")
	show(engine.RightJoin(orders(job), cities(job)))
	// Unordered output:
	// {ann {{tea true} Oslo}}
	// {ann {{jam true} Oslo}}
	// {eve {{ false} Rome}}
}

func ExampleFullJoin() {
	job := engine.NewJob("example")
	show(engine.FullJoin(orders(job), cities(job)))
	// Unordered output:
	// {ann {{tea true} {Oslo true}}}
	// {ann {{jam true} {Oslo true}}}
	// {bob {{rye true} { false}}}
	// {eve {{ false} {Rome true}}}
}

func ExampleSemiJoin() {
	job := engine.NewJob("example")
	show(engine.SemiJoin(orders(job), cities(job)))
	// Unordered output:
	// {ann tea}
	// {ann jam}
}

func ExampleAntiJoin() {
	job := engine.NewJob("example")
	show(engine.AntiJoin(orders(job), cities(job)))
	// Output:
	// {bob rye}
}
