package exec_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"fletch/engine/batch"
	"fletch/engine/exec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter counts keys with a Table, a vector at a time.
type counter struct {
	table  *exec.Table[int64]
	keyer  *batch.Keyer[string]
	vector batch.Vector
	at     []uint32
	fresh  []bool
}

func newCounter(t testing.TB) *counter {
	keyer, err := batch.KeyerOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	return &counter{table: exec.NewCombiningTable[int64](), keyer: keyer, at: make([]uint32, 256), fresh: make([]bool, 256)}
}

func (c *counter) add(keys []string) {
	for some := range slices.Chunk(keys, 256) {
		c.keyer.Normalise(&c.vector, &some[0], unsafe.Sizeof(some[0]), len(some))
		c.table.Room(&c.vector)
		c.table.Locate(&c.vector, c.at, c.fresh)
		for i := range some {
			*c.table.Acc(c.at[i])++
		}
	}
}

// sorted sorts the table and returns its places.
func (c *counter) sorted(ordered bool) []uint32 {
	c.table.Sort(ordered, func() {})
	places := make([]uint32, c.table.Len())
	for i := range places {
		places[i] = uint32(i)
	}
	return places
}

func (c *counter) counts(places []uint32) (keys []string, counts map[string]int64) {
	counts = map[string]int64{}
	for _, p := range places {
		key := c.table.Key(p)
		keys = append(keys, key)
		counts[key] = *c.table.Acc(p)
	}
	return keys, counts
}

func TestTableCountsLikeAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		distinct := rapid.IntRange(1, 5000).Draw(rt, "distinct")
		length := rapid.SampledFrom([]int{1, 15, 16, 40}).Draw(rt, "length")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		c, want := newCounter(t), map[string]int64{}
		var keys []string
		for range 2 * distinct {
			key := fmt.Sprintf("%0*d", length, rng.IntN(distinct))
			if rng.IntN(10) == 0 {
				key = key[:rng.IntN(len(key)+1)] // prefixes, the empty key among them
			}
			keys = append(keys, key)
			want[key]++
		}
		c.add(keys)
		sorted, got := c.counts(c.sorted(true))
		if !maps.Equal(got, want) {
			rt.Fatalf("counts differ: %d keys, want %d", len(got), len(want))
		}
		if !slices.IsSorted(sorted) || len(sorted) != len(want) {
			rt.Fatalf("%d keys, want %d in increasing order", len(sorted), len(want))
		}
		if c.table.Len() != len(want) {
			rt.Fatalf("Len is %d, want %d", c.table.Len(), len(want))
		}
	})
}

// TestTableOrderIsOfTheKeys holds the orders of one set of keys, added in different ways, against each other.
func TestTableOrderIsOfTheKeys(t *testing.T) {
	keys := make([]string, 3000)
	for i := range keys {
		keys[i] = strings.Repeat("x", i%20) + fmt.Sprint(i)
	}
	a, b := newCounter(t), newCounter(t)
	a.add(keys)
	slices.Reverse(keys)
	b.add(keys)
	b.add(keys[:100])
	first, _ := a.counts(a.sorted(false))
	second, _ := b.counts(b.sorted(false))
	if !slices.Equal(first, second) {
		t.Error("the order by hash depends on how keys were added")
	}
}

func TestTableClear(t *testing.T) {
	c := newCounter(t)
	c.add([]string{"a", "a key longer than fifteen bytes"})
	c.table.Clear()
	c.add([]string{"a"})
	if _, got := c.counts(c.table.Places()); !maps.Equal(got, map[string]int64{"a": 1}) {
		t.Errorf("got %v after Clear, want a once", got)
	}
}

// zipfWords draws n words of a Zipf distribution over distinct ones.
func zipfWords(n, distinct int) []string {
	rng := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(rng, 1.1, 1, uint64(distinct-1))
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("w%x", z.Uint64()*2654435761%(1<<32))
	}
	return words
}

func BenchmarkTable(b *testing.B) {
	for _, distinct := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("distinct=%d", distinct), func(b *testing.B) {
			words := zipfWords(1<<21, distinct)
			c := newCounter(b)
			c.add(words)
			b.ResetTimer()
			for b.Loop() {
				c.add(words)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(words)), "ns/row")
		})
	}
}

// TestKeysInTheOrderOfATable adds keys to a small table in the order in which another holds them, and in the order of
// their hashes: searching must not become long.
func TestKeysInTheOrderOfATable(t *testing.T) {
	c := newCounter(t)
	c.add(zipfWords(200_000, 50_000))
	byPlace, _ := c.counts(c.table.Places())
	byHash, _ := c.counts(c.sorted(false))
	for name, keys := range map[string][]string{"places": byPlace, "hashes": byHash} {
		other := newCounter(t)
		other.table = exec.NewAggregatingTable[int64]()
		longest := 0
		for some := range slices.Chunk(keys, 256) { // growing mends what has become of a table before
			other.add(some)
			longest = max(longest, other.table.LongestSearch())
		}
		if longest > 200 {
			t.Errorf("in the order of %s: a search takes %d steps", name, longest)
		}
	}
}

// TestLongKeysOfOneHash has long keys that differ though their hashes do not: whoever knows the hash can make such.
func TestLongKeysOfOneHash(t *testing.T) {
	const hash = 1 << 40
	keys := []string{"the 1st long key of this hash", "the 2nd long key of this hash", "the 3rd long key of this hash"}
	c := newCounter(t)
	same := batch.Words{Lo: hash, Hi: batch.LongTag, Hash: hash}
	v := batch.Vector{Words: []batch.Words{same, same, same}, Long: keys}
	for range 2 { // the second time they are in the table
		c.table.Locate(&v, c.at, c.fresh)
		for i := range keys {
			*c.table.Acc(c.at[i])++
		}
	}
	exec.CountFold.Count(c.table, &v)
	_, got := c.counts(c.sorted(true))
	if want := map[string]int64{keys[0]: 3, keys[1]: 3, keys[2]: 3}; !maps.Equal(got, want) {
		t.Errorf("got %v, want each key three times", got)
	}
}
