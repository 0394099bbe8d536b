// Package suite holds the benchmarks, an entry each: what is measured, against whom, and the target.
package suite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fletch/bench/report"
)

// Peers are the contestants that the others are compared with.
var Peers = []string{limit, duckdb}

// The contestants.
const (
	limit  = "limit"
	duckdb = "duckdb"
	fletch = "fletch"
)

// Config says what is measured and where.
type Config struct {
	Module     string        // directory of the benchmarks' module
	Repository string        // directory of Fletch's module
	Work       string        // directory that keeps programs and texts, and results for a while
	Bytes      int64         // size of the large input
	Words      int           // distinct words of the inputs
	Rounds     int           // of each contest
	Timeout    time.Duration // of one run of one contestant
	Progress   io.Writer     // what is going on, for a human; round 0 warms up
}

func (c Config) bin(name string) string { return filepath.Join(c.Work, "bin", name) }
func (c Config) data() string           { return filepath.Join(c.Work, "data") }

// benchmark is an entry of the suite.
type benchmark struct {
	about string
	run   func(context.Context, Config) ([]report.Row, error)
}

var benchmarks = map[string]benchmark{
	"wordcount": {"word count of Zipf text", wordCount},
	"scale":     {"word count of four times the text; slow", scale},
	"small":     {"word count of 1 KB: what a process costs", small},
	"cluster":   {"word count on a local cluster against one process; its start; its idle memory", clusterWordCount},
	"scaling":   {"word count on 1, 2 and 4 workers of half a core each; needs root", scaling},
	"latency":   {"a job that does nothing on a warm cluster", latency},
	"control":   {"100,000 tasks on three masters and 1,000 simulated workers", control},
	"shuffle":   {"blocks from one worker to another", transfer},
	"micro":     {"Go benchmarks that have a target", micro},
}

// Default names the benchmarks that run where none is named.
var Default = []string{"wordcount", "small", "micro", "cluster", "latency", "control", "shuffle"}

// List describes all benchmarks, a line each.
func List() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(benchmarks)) {
		fmt.Fprintf(&b, "  %-10s %s\n", name, benchmarks[name].about)
	}
	return b.String()
}

// Run runs the named benchmarks in order. Rows that were measured before an error come with
// it.
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
		if err != nil {
			return rows, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// build builds a command into the directory of the programs that take part.
func build(ctx context.Context, c Config, dir, pkg string) error {
	program, err := filepath.Abs(c.bin(path.Base(pkg)))
	if err != nil {
		return err
	}
	_, err = goRun(ctx, dir, "build", "-o", program, pkg)
	return err
}

// goRun runs the go command in a directory and returns what it prints to stdout.
func goRun(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s%s", cmd, err, stdout, stderr.String())
	}
	return string(stdout), nil
}
