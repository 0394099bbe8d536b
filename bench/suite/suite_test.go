package suite

import (
	"context"
	"log"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"fletch/bench/report"
	"fletch/internal/machine"
)

// work keeps the programs of the tests, so that each is linked once.
var work string

func TestMain(m *testing.M) {
	var err error
	if work, err = os.MkdirTemp("", "suite-"); err != nil {
		log.Fatal(err)
	}
	code := m.Run()
	if err := os.RemoveAll(work); err != nil {
		log.Fatal(err)
	}
	os.Exit(code)
}

func newConfig(t *testing.T) Config {
	t.Helper()
	return Config{
		Module: "..", Repository: "../..", Work: work, Bytes: 1e6, Words: 10_000, MemoryBytes: machine.LeastMemory,
		Rounds: 1, Timeout: time.Minute, Progress: t.Output(),
	}
}

// The contestants that need no Fletch count a small text, through the whole way of a benchmark.
func TestWordCountersAgree(t *testing.T) {
	c := newConfig(t)
	rows, err := countWords(context.Background(), c, "word count 1 MB", 1e6, limit, duckdb)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{limit, duckdb} {
		r := rows[i]
		if r.Contestant != name || r.Rate <= 0 || r.CoreRate <= 0 || r.PeakMB <= 0 || r.Speed[name] != 1 {
			t.Errorf("row %d: %+v", i, r)
		}
	}
	if product := rows[0].Speed[duckdb] * rows[1].Speed[limit]; product < 0.99 || product > 1.01 {
		t.Errorf("speeds contradict each other: %v, %v", rows[0].Speed, rows[1].Speed)
	}
}

// The benchmarks that compare Fletch with others run with very small inputs: what counts is that all results are the same.
func TestSmallContests(t *testing.T) {
	c := newConfig(t)
	for name, contestants := range map[string][]string{
		"spill":           {duckdb, "fletch 4 GiB", "fletch 64 MiB"},
		"wordcount-small": {"fletch 4 GiB", "fletch 64 MiB"},
		"groupby":         slices.Repeat([]string{duckdb, fletch}, len(questions)),
		"join":            {duckdb, fletch},
		"terasort":        {gnuSort, fletch},
		"linear":          slices.Repeat([]string{fletch}, 5),
	} {
		rows, err := Run(context.Background(), c, []string{name})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rows {
			got = append(got, r.Contestant)
			if r.Seconds <= 0 || r.PeakMB <= 0 {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if !slices.Equal(got, contestants) {
			t.Errorf("%s has the contestants %q, want %q", name, got, contestants)
		}
		if own := rows[len(rows)-1]; len(own.Targets) == 0 {
			t.Errorf("%s has no target", name)
		}
	}
}

func TestUnknownBenchmarkIsNamed(t *testing.T) {
	_, err := Run(context.Background(), Config{}, []string{"micro", "wordcout"})
	if err == nil || !strings.Contains(err.Error(), `"wordcout"`) || !strings.Contains(err.Error(), "wordcount") {
		t.Errorf("error %v", err)
	}
}

func TestDefaultBenchmarksExist(t *testing.T) {
	for _, name := range Default {
		if _, ok := benchmarks[name]; !ok {
			t.Errorf("there is no benchmark %q", name)
		}
	}
}

const goTestOutput = `goos: linux
BenchmarkYield-2        	10213534	       120.5 ns/op	       0 B/op
BenchmarkYield-2        	10213534	       118.5 ns/op	       0 B/op
BenchmarkYield-2        	10213534	       170.5 ns/op	       0 B/op
BenchmarkYieldAmong/100-2	 3000000	       400.0 ns/op
BenchmarkParked/100-way-2	       1	      9000 ns/op	      2900 bytes/coroutine
PASS
`

func TestMicroBenchmarksAreParsed(t *testing.T) {
	tests := []struct {
		micro microBenchmark
		want  report.Row
	}{
		{
			microBenchmark{pkg: "./c", name: "BenchmarkYield", metric: "ns/op", most: 120},
			report.Row{Benchmark: "./c Yield", Seconds: 120.5e-9, Targets: []report.Target{{What: "ns per op <= 120", Met: false}}},
		},
		{
			microBenchmark{pkg: "./c", name: "BenchmarkParked/100-way", metric: "bytes/coroutine", most: 4096},
			report.Row{Benchmark: "./c Parked/100-way", Bytes: 2900, Targets: []report.Target{{What: "bytes per coroutine <= 4096", Met: true}}},
		},
		{
			microBenchmark{pkg: "./c", name: "BenchmarkYieldAmong/100", metric: "ns/op", against: "BenchmarkYield", most: 3},
			report.Row{Benchmark: "./c YieldAmong/100", Seconds: 400e-9, Targets: []report.Target{{What: "times Yield <= 3", Met: false}}},
		},
	}
	for _, test := range tests {
		got, err := test.micro.row(goTestOutput)
		if err != nil || got.Benchmark != test.want.Benchmark || got.Seconds != test.want.Seconds || got.Bytes != test.want.Bytes ||
			!slices.Equal(got.Targets, test.want.Targets) {
			t.Errorf("got %+v (%v)\nwant %+v", got, err, test.want)
		}
	}
	if _, err := (microBenchmark{pkg: "./c", name: "BenchmarkGone", metric: "ns/op", most: 1}).row(goTestOutput); err == nil {
		t.Error("a benchmark that printed nothing is no error")
	}
}

func TestSizes(t *testing.T) {
	if got := size(4e9); got != "4 GB" {
		t.Errorf("4e9 is shown as %s", got)
	}
	if got := memorySize(256 << 20); got != "256 MiB" {
		t.Errorf("256 MiB are shown as %s", got)
	}
	if got := memorySize(4 << 30); got != "4 GiB" {
		t.Errorf("4 GiB are shown as %s", got)
	}
	if got := count(20e6) + ", " + count(12_345_678) + ", " + count(999); got != "20 million, 12.3 million, 999" {
		t.Errorf("numbers are shown as %s", got)
	}
}
