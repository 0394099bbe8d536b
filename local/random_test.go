package local_test

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fletch/engine"
	"fletch/local"
)

type kv = engine.KV[string, int64]

// stream is a dataset beside what it must hold, by a naive computation, in some order.
type stream struct {
	in   engine.Dataset[kv]
	want []kv
	// fixed says that its order does not depend on the memory, as it does behind a join until the records are put in order.
	fixed bool
}

// step adds an operator to a stream. The other stream is of the same job.
type step struct {
	name string
	add  func(s, other stream) stream
}

func byRecord(a, b kv) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value)) }

// fold is the naive form of a keyed operator.
func fold(in []kv, f func(a, b int64) int64) map[string]int64 {
	out := map[string]int64{}
	for _, r := range in {
		if have, ok := out[r.Key]; ok {
			out[r.Key] = f(have, r.Value)
		} else {
			out[r.Key] = r.Value
		}
	}
	return out
}

func pairs(m map[string]int64) (out []kv) {
	for k, v := range m {
		out = append(out, engine.Pair(k, v))
	}
	return out
}

func add(a, b int64) int64 { return a + b }

func each(in []kv, f func(kv) []kv) (out []kv) {
	for _, r := range in {
		out = append(out, f(r)...)
	}
	return out
}

func total(values iter.Seq[int64]) (sum int64) {
	n := int64(0)
	for v := range values {
		sum += v
		n++
	}
	return sum*7 + n
}

var steps = []step{
	{"Map", func(s, _ stream) stream {
		f := func(r kv) kv { return engine.Pair(r.Key, r.Value*3%100_003) }
		return stream{engine.Map(s.in, f), each(s.want, func(r kv) []kv { return []kv{f(r)} }), s.fixed}
	}},
	{"Map to fewer keys", func(s, _ stream) stream {
		f := func(r kv) kv { return engine.Pair(r.Key[:len(r.Key)*2/3], r.Value) }
		return stream{engine.Map(s.in, f), each(s.want, func(r kv) []kv { return []kv{f(r)} }), s.fixed}
	}},
	{"Filter", func(s, _ stream) stream {
		keep := func(r kv) bool { return r.Value%5 != 0 }
		return stream{engine.Filter(s.in, keep), slices.DeleteFunc(slices.Clone(s.want), func(r kv) bool { return !keep(r) }), s.fixed}
	}},
	{"Sum", func(s, _ stream) stream { return stream{engine.Sum(s.in), pairs(fold(s.want, add)), true} }},
	{"Sum unordered", func(s, _ stream) stream {
		return stream{engine.Sum(s.in, engine.Unordered()), pairs(fold(s.want, add)), true}
	}},
	{"Max", func(s, _ stream) stream {
		return stream{engine.Max(s.in), pairs(fold(s.want, func(a, b int64) int64 { return max(a, b) })), true}
	}},
	{"Distinct", func(s, _ stream) stream {
		want := slices.Clone(s.want)
		slices.SortFunc(want, byRecord)
		return stream{engine.Distinct(s.in), slices.Compact(want), true}
	}},
	{"GroupByKey", func(s, _ stream) stream {
		grouped := engine.GroupByKey(s.in, func(k string, values iter.Seq[int64]) iter.Seq[kv] {
			return func(yield func(kv) bool) { yield(engine.Pair(k, total(values))) }
		})
		sums, counts := fold(s.want, add), map[string]int64{}
		for _, r := range s.want {
			counts[r.Key]++
		}
		for k := range sums {
			sums[k] = sums[k]*7 + counts[k]
		}
		return stream{grouped, pairs(sums), true}
	}},
	{"SortBy", func(s, _ stream) stream {
		sorted := engine.SortBy(s.in, engine.Desc(func(r kv) int64 { return r.Value }), engine.Asc(func(r kv) string { return r.Key }))
		return stream{sorted, s.want, true}
	}},
	{"TopN", func(s, _ stream) stream {
		want := slices.Clone(s.want)
		slices.SortFunc(want, byRecord)
		top := engine.TopN(s.in, 50_000, engine.Asc(func(r kv) string { return r.Key }), engine.Asc(func(r kv) int64 { return r.Value }))
		return stream{top, want[:min(len(want), 50_000)], true}
	}},
	{"Union", func(s, other stream) stream {
		return stream{engine.Union(s.in, other.in), slices.Concat(s.want, other.want), s.fixed && other.fixed}
	}},
	{"Repartition", func(s, _ stream) stream { return stream{engine.Repartition(s.in, 3), s.want, s.fixed} }},
	{"Join", func(s, other stream) stream {
		right := fold(other.want, add)
		joined := engine.Map(engine.Join(s.in, engine.Sum(other.in)), func(r engine.KV[string, engine.Joined[int64, int64]]) kv {
			return engine.Pair(r.Key, r.Value.Left*31+r.Value.Right)
		})
		return stream{joined, each(s.want, func(r kv) []kv {
			if w, ok := right[r.Key]; ok {
				return []kv{engine.Pair(r.Key, r.Value*31+w)}
			}
			return nil
		}), false}
	}},
	{"LeftJoin", func(s, other stream) stream {
		right := fold(other.want, add)
		joined := engine.Map(engine.LeftJoin(s.in, engine.Sum(other.in)), func(r engine.KV[string, engine.Joined[int64, engine.Optional[int64]]]) kv {
			return engine.Pair(r.Key, r.Value.Left*31+r.Value.Right.Value)
		})
		return stream{joined, each(s.want, func(r kv) []kv { return []kv{engine.Pair(r.Key, r.Value*31+right[r.Key])} }), false}
	}},
	{"AntiJoin", func(s, other stream) stream {
		right := fold(other.want, add)
		return stream{engine.AntiJoin(s.in, other.in), slices.DeleteFunc(slices.Clone(s.want), func(r kv) bool { _, ok := right[r.Key]; return ok }), false}
	}},
	{"SemiJoin", func(s, other stream) stream {
		right := fold(other.want, add)
		return stream{engine.SemiJoin(s.in, other.in), slices.DeleteFunc(slices.Clone(s.want), func(r kv) bool { _, ok := right[r.Key]; return !ok }), false}
	}},
	{"CoGroup", func(s, other stream) stream {
		left, right := fold(s.want, add), fold(other.want, add)
		for k, w := range right {
			left[k] -= 3 * w
		}
		return stream{engine.CoGroup(s.in, other.in, func(k string, l, r iter.Seq[int64]) iter.Seq[kv] {
			return func(yield func(kv) bool) {
				sum := int64(0)
				for v := range l {
					sum += v
				}
				for w := range r {
					sum -= 3 * w
				}
				yield(engine.Pair(k, sum))
			}
		}), pairs(left), true}
	}},
	{"Broadcast", func(s, other stream) stream {
		small := engine.TopN(other.in, 10, engine.Asc(func(r kv) string { return r.Key }), engine.Asc(func(r kv) int64 { return r.Value }))
		want := slices.Clone(other.want)
		slices.SortFunc(want, byRecord)
		sum := func(small []kv) (sum int64) {
			for _, r := range small {
				sum += r.Value
			}
			return sum
		}
		all := sum(want[:min(len(want), 10)])
		return stream{engine.Broadcast(s.in, small, func(r kv, small []kv) iter.Seq[kv] {
			return func(yield func(kv) bool) { yield(engine.Pair(r.Key, r.Value+sum(small))) }
		}), each(s.want, func(r kv) []kv { return []kv{engine.Pair(r.Key, r.Value+all)} }), s.fixed}
	}},
}

// source makes records whose keys repeat as words do: a few often, many once.
func source(job *engine.Job, r *rand.Rand, n int) stream {
	records := make([]kv, n)
	for i := range records {
		key := strconv.Itoa(int(float64(n) / (1 + r.Float64()*float64(n)/3)))
		if r.IntN(4) == 0 {
			key = strings.Repeat(key, 5) // longer than what lies in a table's slot
		}
		records[i] = engine.Pair(key, r.Int64N(1000))
	}
	return stream{engine.FromSlice(job, records), records, true}
}

// randomJob draws a chain of operators.
func randomJob(seed uint64, rows int) (last stream, path []string) {
	r := rand.New(rand.NewPCG(seed, 0))
	job := engine.NewJob("random")
	s, other := source(job, r, rows), source(job, r, rows/2)
	for range 2 + r.IntN(4) {
		step := steps[r.IntN(len(steps))]
		path = append(path, step.name)
		s, other = step.add(s, other), s
	}
	return s, path
}

// seed is the first of random jobs; FLETCH_TEST_SEED sets it.
func firstSeed(t *testing.T) uint64 {
	if text := os.Getenv("FLETCH_TEST_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return seed
	}
	return rand.Uint64()
}

// TestRandomJobs runs random jobs under configurations that change what runs where, what is spilled and merged. Each result
// holds what a naive computation says, and is the same as the first one record for record where the order is promised.
func TestRandomJobs(t *testing.T) {
	const jobs, rows = 8, 150_000
	first := firstSeed(t)
	for i := range uint64(jobs) {
		seed := first + i
		t.Run(fmt.Sprintf("FLETCH_TEST_SEED=%d", seed), func(t *testing.T) {
			s, path := randomJob(seed, rows)
			slices.SortFunc(s.want, byRecord)
			for _, partitions := range []int{1, 5} {
				var reference []kv
				for _, config := range []local.Config{{}, {Parallelism: 1, MemoryBytes: 64 << 20}, {Parallelism: 3, MemoryBytes: 80 << 20}} {
					config.Partitions = partitions
					got, err := local.CollectWith(t.Context(), s.in, config)
					if err != nil {
						t.Fatalf("%v with %+v: %v", path, config, err)
					}
					if reference == nil {
						reference = slices.Clone(got)
					} else if s.fixed && !slices.Equal(got, reference) {
						t.Errorf("%v with %+v: another order than in memory", path, config)
					}
					slices.SortFunc(got, byRecord)
					if !slices.Equal(got, s.want) {
						t.Fatalf("%v with %+v: %d records, want %d", path, config, len(got), len(s.want))
					}
				}
			}
		})
	}
	t.Logf("%d jobs from seed %d on", jobs, first)
}
