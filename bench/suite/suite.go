// Package suite holds the benchmarks, an entry each: what is measured, against whom, and the target.
package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fletch/bench/report"
)

// Peers are the contestants that the others are compared with.
var Peers = []string{limit, duckdb, gnuSort}

// The contestants.
const (
	limit   = "limit"
	duckdb  = "duckdb"
	gnuSort = "sort"
	fletch  = "fletch"
)

// Config says what is measured and where.
type Config struct {
	Module      string        // directory of the benchmarks' module
	Repository  string        // directory of Fletch's module
	Work        string        // directory that keeps programs and inputs, and results for a while
	Bytes       int64         // size of the word count's text; the inputs of others have their own size where this is 1 GB, and grow and shrink with it
	Words       int           // distinct words of the texts
	MemoryBytes int64         // what contestants may use where the benchmark is about that
	Rounds      int           // of each contest
	Timeout     time.Duration // of one run of one contestant
	Progress    io.Writer     // what is going on, for a human; round 0 warms up
}

func (c Config) bin(name string) string { return filepath.Join(c.Work, "bin", name) }
func (c Config) data() string           { return filepath.Join(c.Work, "data") }

// scaled returns the size of an input that is n where the word count's text has 1 GB.
func (c Config) scaled(n float64) int64 { return max(1, int64(n/1e9*float64(c.Bytes))) }

// benchmark is an entry of the suite.
type benchmark struct {
	about string
	run   func(context.Context, Config) ([]report.Row, error)
}

var benchmarks = map[string]benchmark{
	"wordcount":        {"word count of Zipf text", wordCount},
	"terasort":         {"2 GB of lines sorted in little memory, against GNU sort", teraSort},
	"linear":           {"sorting 0.5 to 8 GB in little memory; slow", linear},
	"spill":            {"100 million rows grouped by 20 million keys in little memory and in 4 GiB; slow", spill},
	"groupby":          {"db-benchmark's group-by of 10 million rows, from CSV to CSV", groupBy},
	"join":             {"db-benchmark's join of 10 million rows with 1 million, from CSV to CSV", join},
	"terasort-cluster": {"the same sort on a local cluster against one process", clusterTeraSort},
	"wordcount-small":  {"word count in the least memory, which its table does not fit in; slow", wordCountSmall},
	"scale":            {"word count of four times the text; slow", scale},
	"small":            {"word count of 1 KB: what a process costs", small},
	"cluster":          {"word count on a local cluster against one process; its start; its idle memory", clusterWordCount},
	"scaling":          {"word count on 1, 2 and 4 workers of half a core each; needs root", scaling},
	"latency":          {"a job that does nothing on a warm cluster", latency},
	"control":          {"100,000 tasks on three masters and 1,000 simulated workers", control},
	"shuffle":          {"blocks from one worker to another", transfer},
	"micro":            {"Go benchmarks that have a target", micro},
}

// Default names the benchmarks that run where none is named.
var Default = []string{"wordcount", "small", "terasort", "groupby", "join", "micro", "cluster", "terasort-cluster", "latency", "control", "shuffle"}

// List describes all benchmarks, a line each.
func List() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(benchmarks)) {
		fmt.Fprintf(&b, "  %-16s %s\n", name, benchmarks[name].about)
	}
	return b.String()
}

// Run runs the named benchmarks in order. Rows that were measured before an error come with it.
func Run(ctx context.Context, c Config, names []string) (rows []report.Row, err error) {
	var errs []error
	for _, name := range names {
		if _, ok := benchmarks[name]; !ok {
			errs = append(errs, fmt.Errorf("no benchmark is called %q; there are\n%s", name, List()))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, name := range names {
		more, err := benchmarks[name].run(ctx, c)
		rows = append(rows, more...)
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}
