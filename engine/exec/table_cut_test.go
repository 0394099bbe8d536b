package exec

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"fletch/engine/batch"
)

// fill adds keys to a table, each with how often it came.
func fill(table *Table[int64], keys []string) {
	keyer := keyerOf[string]()
	var v batch.Vector
	for some := range slices.Chunk(keys, vectorRows) {
		keyer.Normalise(&v, &some[0], unsafe.Sizeof(some[0]), len(some))
		if !table.Room(&v) {
			panic("there is no room")
		}
		countKeys(table, &v)
	}
}

// TestCut takes the ranges out of a table one after the other. What is left is found, and the memory of what is not comes
// back.
func TestCut(t *testing.T) {
	keys := make([]string, 20_000)
	want := map[string]int64{}
	for i := range keys {
		keys[i] = textKey(i % 9000)
		want[keys[i]]++
	}
	OnCoroutine(t, func(task *Task) error {
		table := newTable[int64](task.Share, minSlots, aggregating)
		defer table.release()
		fill(table, keys)
		for r := range hashRanges {
			lens := table.rangeLens()
			var ranges [hashRanges]bool
			ranges[r] = true
			removed := table.cut(&ranges, lens[r])
			if len(removed) == 0 || len(removed) != lens[r] || table.rangeLens()[r] != 0 {
				t.Fatalf("range %d: %d keys of %d were cut, %d are left", r, len(removed), lens[r], table.rangeLens()[r])
			}
			for _, s := range removed {
				key := strings.Clone(s.key(&table.long))
				if s.acc != want[key] {
					t.Fatalf("key %q was counted %d times, want %d", key, s.acc, want[key])
				}
				delete(want, key)
			}
			table.drop(r)
			if table.long[r].chunks != nil {
				t.Fatalf("range %d: %d bytes of long keys are kept", r, table.long[r].bytes)
			}
			left := slices.Collect(maps.Keys(want))
			if len(left) > 0 {
				fill(table, left) // each is found, or it would become another key
			}
			for _, key := range left {
				want[key]++
			}
			if table.Len() != len(want) {
				t.Fatalf("%d keys are left, want %d", table.Len(), len(want))
			}
		}
		if slots := table.slotBytes(len(table.slots)); table.taken != slots {
			t.Errorf("an empty table has %d bytes, its slots %d", table.taken, slots)
		}
		return nil
	})
}

// TestSortOrdersKeys sorts keys that agree in as much as they can, about the lengths at which the way of telling them apart
// changes.
func TestSortOrdersKeys(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		shared := rapid.SampledFrom([]int{0, 7, 8, 13, 14, 15, 16, 24, 100, 505, 600}).Draw(rt, "shared")
		tail := rapid.IntRange(1, 40).Draw(rt, "tail")
		letters := rapid.SampledFrom([]string{"\x00\x01\x0f\x10\x11a", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"}).Draw(rt, "letters")
		set := map[string]bool{}
		for range rapid.IntRange(0, 3000).Draw(rt, "n") {
			key := make([]byte, shared+r.IntN(tail+1))
			for i := range key {
				key[i] = 'a'
				if i >= shared {
					key[i] = letters[r.IntN(len(letters))]
				}
			}
			if r.IntN(20) == 0 {
				key = key[:r.IntN(len(key)+1)]
			}
			set[string(key)] = true
		}
		keys := slices.Collect(maps.Keys(set))
		for _, ordered := range []bool{true, false} {
			table := newTable[int64](nil, minSlots, aggregating)
			if len(keys) > 0 {
				fill(table, keys)
			}
			table.Sort(ordered, func() {})
			got := make([]string, table.Len())
			for i := range got {
				got[i] = table.Key(uint32(i))
			}
			want := slices.Sorted(maps.Keys(set))
			if !ordered {
				order := func(k string) string { return fmt.Sprintf("%016x", batch.HashBytes([]byte(k))) + k }
				slices.SortFunc(want, func(a, b string) int { return strings.Compare(order(a), order(b)) })
			}
			if !slices.Equal(got, want) {
				rt.Fatalf("ordered %v: %.300q, want %.300q", ordered, got, want)
			}
		}
	})
}
