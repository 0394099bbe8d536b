package engine_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

type sold struct {
	Country string
	Amount  float64
	Seq     int
}

// drawSales draws n of them, whose countries are up to twice as long as letters.
func drawSales(r *rand.Rand, n, letters int) []sold {
	out := make([]sold, n)
	for i := range out {
		amount := float64(r.IntN(5)) - 2
		if r.IntN(10) == 0 {
			amount = math.NaN()
		}
		out[i] = sold{strings.Repeat("x", r.IntN(3)*letters), amount, i}
	}
	return out
}

// compareNaNLast orders floats as fletch does.
func compareNaNLast(a, b float64) int {
	switch {
	case a != a && b != b:
		return 0
	case a != a:
		return 1
	case b != b:
		return -1
	}
	return cmp.Compare(a, b)
}

// TestSortByIsAStableSort compares with the standard library: two columns, one of them falling, with ties and NaN.
func TestSortByIsAStableSort(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		in := drawSales(rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0)), rapid.SampledFrom([]int{0, 1, 7, 3000}).Draw(rt, "n"), rapid.SampledFrom([]int{1, 400}).Draw(rt, "letters"))
		want := slices.Clone(in)
		slices.SortStableFunc(want, func(a, b sold) int {
			return cmp.Or(-compareNaNLast(a.Amount, b.Amount), cmp.Compare(a.Country, b.Country))
		})
		job := engine.NewJob("sales")
		sorted := engine.SortBy(engine.Repartition(engine.FromSlice(job, in), 1),
			engine.Desc(func(s sold) float64 { return s.Amount }), engine.Asc(func(s sold) string { return s.Country }))
		got, err := local.CollectWith(t.Context(), sorted, local.Config{
			Partitions: rapid.IntRange(1, 20).Draw(rt, "partitions"), Parallelism: rapid.IntRange(1, 3).Draw(rt, "parallelism"),
		})
		if err != nil {
			rt.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) { // NaN does not equal itself
			rt.Fatalf("got  %v\nwant %v", got, want)
		}
	})
}

// TestSortByBalances sees that partitions have about the same size, also where most keys are equal: then as far as the
// splits of the input allow.
func TestSortByBalances(t *testing.T) {
	const n, partitions = 400_000, 8
	for name, key := range map[string]func(int64) int64{
		"distinct":   func(i int64) int64 { return int64(rand.New(rand.NewPCG(uint64(i), 1)).Uint64() >> 1) },
		"half equal": func(i int64) int64 { return max(i*7919%n, n/2) },
		"all equal":  func(int64) int64 { return 1 },
		"falling":    func(i int64) int64 { return -i },
	} {
		t.Run(name, func(t *testing.T) {
			job := engine.NewJob("balance")
			keys := engine.Map(engine.Range(job, 0, n), key)
			checkBalance(t, job, engine.SortBy(keys, engine.Asc(func(k int64) int64 { return k })), n, partitions, partitions)
		})
	}
}

// TestSortByWeighsSamples sees that inputs count by what they have, and not by how much of them a sample reads: of the one all,
// of the other eight partitions.
func TestSortByWeighsSamples(t *testing.T) {
	const many, few = 200_000, 20_000
	job := engine.NewJob("weights")
	both := engine.Union(engine.Repartition(engine.Range(job, 0, many), 512), engine.Range(job, many, many+few))
	checkBalance(t, job, engine.SortBy(both, engine.Asc(func(n int64) int64 { return n })), many+few, 8, 8)
}

// TestRepartitionBalances deals out what comes in many small partitions, which few tasks read.
func TestRepartitionBalances(t *testing.T) {
	const n = 1000
	job := engine.NewJob("deal")
	counts := engine.Map(engine.Count(engine.Range(job, 0, n)), func(kv engine.KV[int64, int64]) int64 { return kv.Key })
	checkBalance(t, job, engine.Repartition(counts, 4), n, n, 4)
}

// checkBalance runs a job with so many partitions that writes n rows, and sees that none of its parts has more than twice its
// share.
func checkBalance(t *testing.T, job *engine.Job, out engine.Dataset[int64], n, partitions, parts int) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	textio.Write(engine.Map(out, func(k int64) string { return fmt.Sprint(k) }), dir)
	if _, err := local.Run(t.Context(), job, local.Config{Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(dir + "/part-*")
	if err != nil || len(files) != parts {
		t.Fatalf("parts %v, %v", files, err)
	}
	for _, part := range files {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		if rows := strings.Count(string(text), "\n"); rows > 2*n/parts {
			t.Errorf("%s has %d of %d rows", filepath.Base(part), rows, n)
		}
	}
}

// TestSortByKeepsTheOrderOfAUnion sees that equal records of two inputs come in the order of these, however many partitions
// they are spread over.
func TestSortByKeepsTheOrderOfAUnion(t *testing.T) {
	const n = 300_000 // of each input, in a few splits
	for _, partitions := range []int{1, 4} {
		job := engine.NewJob("ties")
		both := engine.Union(engine.Range(job, 0, n), engine.Range(job, n, 2*n))
		got, err := local.CollectWith(t.Context(), engine.SortBy(both, engine.Asc(func(int64) bool { return true })), local.Config{Partitions: partitions})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2*n {
			t.Fatalf("%d records in %d partitions, want %d", len(got), partitions, 2*n)
		}
		for i := range got {
			if got[i] != int64(i) {
				t.Fatalf("record %d of %d partitions is %d", i, partitions, got[i])
			}
		}
	}
}

// TestSample draws about as many as it should, the same ones each time.
func TestSample(t *testing.T) {
	const n = 100_000
	draw := func(fraction float64, seed uint64) []int64 {
		job := engine.NewJob("sample")
		got, err := local.Collect(t.Context(), engine.Sample(engine.Range(job, 0, n), fraction, seed))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, fraction := range []float64{0, 1e-9, 0.01, 0.5, 0.99, 1} {
		got := draw(fraction, 1)
		if off := math.Abs(float64(len(got)) - fraction*n); off > 5*math.Sqrt(n*fraction*(1-fraction))+1 {
			t.Errorf("%d records of %d with a chance of %v", len(got), n, fraction)
		}
		if !slices.Equal(got, draw(fraction, 1)) {
			t.Errorf("the same seed gave another sample at a chance of %v", fraction)
		}
	}
	if slices.Equal(draw(0.5, 1), draw(0.5, 2)) {
		t.Error("two seeds gave one sample")
	}
}

// TestMistakesOfSorts sees that what cannot work is found with the graph.
func TestMistakesOfSorts(t *testing.T) {
	for want, build := range map[string]func(*engine.Job){
		"no order is given":            func(job *engine.Job) { engine.SortBy(engine.Range(job, 0, 1)) },
		"the function is nil":          func(job *engine.Job) { engine.SortBy(engine.Range(job, 0, 1), engine.Asc[int64, int64](nil)) },
		"a chance of 1.5":              func(job *engine.Job) { engine.Sample(engine.Range(job, 0, 1), 1.5, 0) },
		"a chance of NaN":              func(job *engine.Job) { engine.Sample(engine.Range(job, 0, 1), math.NaN(), 0) },
		"belong to different jobs":     joinAcrossJobs,
		"type func() is not supported": func(job *engine.Job) { engine.SortBy(engine.Map(engine.Range(job, 0, 1), noFunc)) },
	} {
		job := engine.NewJob("wrong")
		build(job)
		if err := job.Err(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "sort_test.go:") {
			t.Errorf("error %v, want one with %q and the line of the call", err, want)
		}
	}
}

func noFunc(int64) func() { return nil }

func joinAcrossJobs(job *engine.Job) {
	other := engine.NewJob("other")
	byKey := func(n int64) int64 { return n }
	engine.Join(engine.KeyBy(engine.Range(job, 0, 1), byKey), engine.KeyBy(engine.Range(other, 0, 1), byKey))
}
