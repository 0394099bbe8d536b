package exec_test

import (
	"io"
	"iter"
	"slices"

	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"fletch/engine/batch"
	"fletch/engine/exec"
)

// BenchmarkCombine is a sum of values by key on the map side: of keys that do not repeat, of some that do now and then,
// and of a word count's.
func BenchmarkCombine(b *testing.B) {
	const records = 1 << 20
	rng := rand.New(rand.NewPCG(1, 2))
	numbers, strings := make([]int64, records), make([]string, records)
	for i := range numbers {
		numbers[i] = int64(rng.Uint64())
		strings[i] = fmt.Sprintf("id%010d", rng.IntN(1<<33))
	}
	few := make([]int64, records)
	for i := range few {
		few[i] = rng.Int64N(records / 8)
	}
	b.Run("distinct/int64", func(b *testing.B) { benchmarkCombine(b, numbers) })
	b.Run("distinct/string", func(b *testing.B) { benchmarkCombine(b, strings) })
	b.Run("eightfold/int64", func(b *testing.B) { benchmarkCombine(b, few) })
	b.Run("words/string", func(b *testing.B) { benchmarkCombine(b, zipfWords(records, 1_000_000)) })
}

func benchmarkCombine[K any](b *testing.B, keys []K) {
	codec, err := batch.CodecOf[batch.KV[K, int64]]()
	if err != nil {
		b.Fatal(err)
	}
	add := func(acc *int64, v int64, fresh bool) {
		if fresh {
			*acc = v
		} else {
			*acc += v
		}
	}
	x := exec.Keyed[K, int64, int64]{Codec: codec, Slots: new(atomic.Int64), Fold: exec.Fold[int64, int64]{Add: add, Merge: add}, Keyer: func() *batch.Keyer[K] {
		k, _ := batch.KeyerOf[K]()
		return k
	}}
	exec.OnCoroutine(b, func(t *exec.Task) error {
		before := cpuTime()
		for b.Loop() {
			s := exec.Combine(t, &discardPort{}, 32, x, func(k K) (K, int64) { return k, 1 })
			consume := s.Consume.(func(K) bool)
			for _, k := range keys {
				consume(k)
			}
			if err := s.Finish(); err != nil {
				return err
			}
		}
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N*len(keys)), "cpu-ns/record")
		return nil
	})
}

// looped is a source of given records, which it does not own.
type looped struct{ records []arrow.Record }

func (l *looped) Next() (arrow.Record, error) {
	if len(l.records) == 0 {
		return nil, io.EOF
	}
	rec := l.records[0]
	l.records = l.records[1:]
	rec.Retain()
	return rec, nil
}

func (*looped) Position(int) string { return "" }
func (*looped) Close() error        { return nil }

// batches returns a number as a value of each key, in batches.
func batches[K any](b *testing.B, codec *batch.Codec[batch.KV[K, int64]], keys []K) (records []arrow.Record) {
	builder := codec.NewBuilder(memory.NewGoAllocator())
	for some := range slices.Chunk(keys, 16<<10) {
		rows := make([]batch.KV[K, int64], len(some))
		for i, k := range some {
			rows[i] = batch.KV[K, int64]{Key: k, Value: int64(i)}
		}
		if err := builder.Append(rows); err != nil {
			b.Fatal(err)
		}
		records = append(records, builder.Record())
	}
	return records
}

// BenchmarkRead is the reading side of a sum and of groups by key.
func BenchmarkRead(b *testing.B) {
	const records = 1 << 20
	rng := rand.New(rand.NewPCG(1, 2))
	distinct, few, texts, urls := make([]int64, records), make([]int64, records), make([]string, records), make([]string, records)
	for i := range distinct {
		distinct[i] = int64(rng.Uint64())
		few[i] = rng.Int64N(records / 8)
		texts[i] = fmt.Sprintf("id%010d", rng.IntN(1<<33))
		urls[i] = fmt.Sprintf("https://example.org/page/%d", rng.IntN(1<<33))
	}
	for _, ordered := range []bool{true, false} {
		b.Run(fmt.Sprintf("distinct/int64/ordered=%v", ordered), func(b *testing.B) { benchmarkRead(b, distinct, ordered, 1<<40) })
		b.Run(fmt.Sprintf("distinct/string/ordered=%v", ordered), func(b *testing.B) { benchmarkRead(b, texts, ordered, 1<<40) })
		b.Run(fmt.Sprintf("distinct/url/ordered=%v", ordered), func(b *testing.B) { benchmarkRead(b, urls, ordered, 1<<40) })
		b.Run(fmt.Sprintf("spilled/int64/ordered=%v", ordered), func(b *testing.B) { benchmarkRead(b, distinct, ordered, 12<<20) })
		b.Run(fmt.Sprintf("eightfold/int64/ordered=%v", ordered), func(b *testing.B) { benchmarkRead(b, few, ordered, 1<<40) })
	}
}

func benchmarkRead[K any](b *testing.B, keys []K, ordered bool, shareBytes int64) {
	codec, err := batch.CodecOf[batch.KV[K, int64]]()
	if err != nil {
		b.Fatal(err)
	}
	keyer := func() *batch.Keyer[K] { k, _ := batch.KeyerOf[K](); return k }
	add := func(acc *int64, v int64, _ bool) { *acc += v }
	x := exec.Keyed[K, int64, int64]{Codec: codec, Slots: new(atomic.Int64), Fold: exec.Fold[int64, int64]{Add: add, Merge: add}, Keyer: keyer}
	records := batches(b, codec, keys)
	b.Run("aggregate", func(b *testing.B) {
		exec.OnCoroutineWithin(b, shareBytes, func(t *exec.Task) error {
			n, before := 0, cpuTime()
			for b.Loop() {
				t.Spill.(*exec.MemorySpill).Close()
				if err := exec.Aggregate(t, &looped{records}, x, ordered, func(K, *int64) bool { n++; return true }); err != nil {
					return err
				}
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N*len(keys)), "cpu-ns/record")
			return nil
		})
	})
	b.Run("group", func(b *testing.B) {
		exec.OnCoroutineWithin(b, shareBytes, func(t *exec.Task) error {
			sum, before := int64(0), cpuTime()
			for b.Loop() {
				t.Spill.(*exec.MemorySpill).Close()
				err := exec.Group(t, 0, &looped{records}, codec, keyer(), ordered, func(_ K, values iter.Seq[int64]) bool {
					for v := range values {
						sum += v
					}
					return true
				})
				if err != nil {
					return err
				}
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N*len(keys)), "cpu-ns/record")
			return nil
		})
	})
}

// cpuTime returns the time of all threads of this process in nanoseconds: other processes disturb it less than a clock.
func cpuTime() int64 {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return r.Utime.Nano() + r.Stime.Nano()
}
