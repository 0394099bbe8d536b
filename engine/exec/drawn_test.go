package exec

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"pgregory.net/rapid"

	"fletch/engine/batch"
)

// keysOf is how keys of a type are made for these tests: several of them for each number below a bound.
type keysOf[K any] struct {
	name string
	make func(n int) K
}

type place struct {
	Name string
	Zone int8
}

func textKey(n int) string { return strings.Repeat("x", n%37) + fmt.Sprint(n) }

var (
	numbers = keysOf[int64]{"int64", func(n int) int64 { return int64(n)*7919 - 1000 }}
	texts   = keysOf[string]{"string", textKey} // short and long ones
	places  = keysOf[place]{"struct", func(n int) place { return place{textKey(n / 3), int8(n%3 - 1)} }}
)

// pairsOf draws records with as many different keys as distinct; each value tells which record it is of.
func pairsOf[K any](r *rand.Rand, keys keysOf[K], n, distinct int) []batch.KV[K, string] {
	out := make([]batch.KV[K, string], n)
	for i := range out {
		out[i] = batch.KV[K, string]{Key: keys.make(r.IntN(distinct)), Value: strings.Repeat("-", r.IntN(40)) + fmt.Sprint(i)}
	}
	return out
}

// grouped returns the values of each key, in increasing order of the keys.
func grouped[K comparable](keyer *batch.Keyer[K], records []batch.KV[K, string]) (groups []batch.KV[K, []string]) {
	at := map[K]int{}
	for _, kv := range records {
		i, ok := at[kv.Key]
		if !ok {
			i = len(groups)
			at[kv.Key] = i
			groups = append(groups, batch.KV[K, []string]{Key: kv.Key})
		}
		groups[i].Value = append(groups[i].Value, kv.Value)
	}
	slices.SortFunc(groups, func(a, b batch.KV[K, []string]) int {
		return bytes.Compare(keyer.Append(nil, &a.Key), keyer.Append(nil, &b.Key))
	})
	return groups
}

// drawn is what the tests of operators beyond memory draw.
type drawn struct {
	rng      *rand.Rand
	records  int
	distinct int
	step     int // rows of a batch
	share    int64
	ordered  bool
}

// draw draws a share, too: the least that an operator works with, as it has to read two runs of batches of some 100 kB, or
// one that holds some of the records, or all.
func draw(t *rapid.T, least int64) drawn {
	d := drawn{
		rng:      rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)),
		records:  rapid.SampledFrom([]int{12_000, 12_000, 12_000, 12_000, 700, 1, 0}).Draw(t, "records"),
		distinct: rapid.SampledFrom([]int{40_000, 40_000, 40_000, 2000, 1}).Draw(t, "distinct"),
		step:     rapid.SampledFrom([]int{1000, 256, 70, 2}).Draw(t, "step"),
		share:    rapid.SampledFrom([]int64{least, least, least, least + least/3, 1 << 40}).Draw(t, "share"),
		ordered:  rapid.Bool().Draw(t, "ordered"),
	}
	if d.step == 2 { // many batches take long
		d.records = min(d.records, 700)
	}
	return d
}

// attemptOf runs f as an attempt does whose Arrow memory is counted, and sees that nothing is left of it. It adds the runs
// that were spilled to spilled.
func attemptOf(t testing.TB, spill *MemorySpill, share int64, spilled *int, f func(*Task) error) error {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	err := runOnCoroutine(t, &Task{Spill: spill, Memory: mem}, share, f)
	if spill.Open() != 0 {
		t.Errorf("%d spilled runs are still open", spill.Open())
	}
	spill.Close()
	mem.AssertSize(t, 0)
	*spilled += spill.Runs
	return err
}

// concat folds strings in their order; what it keeps are views of batches until there are two.
var concat = Fold[string, string]{
	Add:   func(acc *string, v string, _ bool) { *acc += "," + v },
	Merge: func(acc *string, other string, _ bool) { *acc += other },
}

// longest folds to the length of the longest value and their number: an accumulator without pointers.
type sizes struct{ Longest, Count int64 }

var longest = Fold[string, sizes]{
	Add: func(acc *sizes, v string, _ bool) {
		acc.Longest, acc.Count = max(acc.Longest, int64(len(v))), acc.Count+1
	},
	Merge: func(acc *sizes, other sizes, _ bool) {
		acc.Longest, acc.Count = max(acc.Longest, other.Longest), acc.Count+other.Count
	},
}

func keyerOf[K any]() *batch.Keyer[K] {
	k, err := batch.KeyerOf[K]()
	if err != nil {
		panic(err)
	}
	return k
}

// byPosition compares records by where their keys stand in a list.
func byPosition[K comparable, A any](list []batch.KV[K, A]) func(a, b batch.KV[K, A]) int {
	at := map[K]int{}
	for i, kv := range list {
		at[kv.Key] = i
	}
	return func(a, b batch.KV[K, A]) int { return cmp.Compare(at[a.Key], at[b.Key]) }
}
