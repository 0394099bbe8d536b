package exec

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func rankedOf(keys [][]byte) ([]ranked, *sorting) {
	items := make([]ranked, len(keys))
	for i, k := range keys {
		items[i] = ranked{prefixOf(k), uint64(i)}
	}
	return items, &sorting{pause: func() {}, tail: func(at uint64) []byte { return keys[at][min(wordBytes, len(keys[at])):] }}
}

// TestSorting compares with the sort of the standard library, for keys that share as much as they can.
func TestSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 3000).Draw(t, "n")
		words := rapid.IntRange(0, 3).Draw(t, "words that all share")
		letters := rapid.SampledFrom([]int{1, 2, 255}).Draw(t, "letters")
		longest := rapid.IntRange(0, 20).Draw(t, "longest")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		keys := make([][]byte, n)
		for i := range keys {
			key := bytes.Repeat([]byte("engineer"), words)
			for range r.IntN(longest + 1) {
				key = append(key, byte(1+r.IntN(letters))) // none is another followed by zeroes
			}
			keys[i] = key
		}
		checkSorting(t, keys)
	})
}

// TestSortingWords sorts keys that are all prefix.
func TestSortingWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		bits := rapid.IntRange(1, 64).Draw(t, "bits")
		shift := rapid.IntRange(0, 64-bits).Draw(t, "shift")
		keys := make([][]byte, rapid.IntRange(0, 3000).Draw(t, "n"))
		for i := range keys {
			keys[i] = binary.BigEndian.AppendUint64(nil, r.Uint64()>>(64-bits)<<shift)
		}
		checkSorting(t, keys)
	})
}

func checkSorting(t *rapid.T, keys [][]byte) {
	items, s := rankedOf(keys)
	want := slices.Clone(items)
	slices.SortFunc(want, func(a, b ranked) int {
		return cmp.Or(bytes.Compare(keys[a.at], keys[b.at]), cmp.Compare(a.at, b.at))
	})
	s.sort(items)
	if !slices.Equal(items, want) {
		t.Fatalf("%d items stand in another order than their keys", len(keys))
	}
}

func BenchmarkSorting(b *testing.B) {
	for _, n := range []int{10_000, 320_000, 2_000_000} {
		keys := make([][]byte, n)
		for i := range keys {
			for range 12 {
				keys[i] = append(keys[i], byte(' '+rand.IntN(95)))
			}
		}
		items, s := rankedOf(keys)
		shuffled := slices.Clone(items)
		for name, sort := range map[string]func(){
			"radix": func() { s.sort(items) },
			"compare": func() {
				slices.SortFunc(items, func(a, b ranked) int {
					return cmp.Or(cmp.Compare(a.prefix, b.prefix), bytes.Compare(keys[a.at], keys[b.at]))
				})
			},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					copy(items, shuffled)
					sort()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/item")
			})
		}
	}
}
