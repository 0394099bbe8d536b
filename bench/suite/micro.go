package suite

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fletch/bench/report"
)

// microBenchmark is a Go benchmark of Fletch's module with a target.
type microBenchmark struct {
	pkg    string
	name   string // with the sub-benchmark's, without the number of cores
	metric string // the unit that testing prints behind the value
	most   float64
}

var microBenchmarks = []microBenchmark{
	{"./engine/coro", "BenchmarkYield", "ns/op", 150},
	{"./engine/coro", "BenchmarkParked", "bytes/coroutine", 4096},
}

// micro runs the Go benchmarks, a package at a time.
func micro(ctx context.Context, c Config) ([]report.Row, error) {
	byPackage := map[string][]microBenchmark{}
	var packages []string
	for _, m := range microBenchmarks {
		if byPackage[m.pkg] == nil {
			packages = append(packages, m.pkg)
		}
		byPackage[m.pkg] = append(byPackage[m.pkg], m)
	}
	var rows []report.Row
	for _, pkg := range packages {
		fmt.Fprintf(c.Progress, "go test -bench %s\n", pkg)
		out, err := goRun(ctx, c.Repository, "test", "-run", "^$", "-bench", pattern(byPackage[pkg]), "-count", strconv.Itoa(c.Rounds), pkg)
		if err != nil {
			return nil, err
		}
		for _, m := range byPackage[pkg] {
			row, err := m.row(out)
			if err != nil {
				return nil, err
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// pattern matches the benchmarks and nothing else at the top level.
func pattern(benchmarks []microBenchmark) string {
	var names []string
	for _, m := range benchmarks {
		top, _, _ := strings.Cut(m.name, "/")
		names = append(names, top)
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

// row shows the median of what go test printed.
func (m microBenchmark) row(out string) (report.Row, error) {
	values := m.values(out)
	if len(values) == 0 {
		return report.Row{}, fmt.Errorf("%s %s printed no %s:\n%s", m.pkg, m.name, m.metric, out)
	}
	slices.Sort(values)
	value := values[len(values)/2]
	r := report.Row{Benchmark: m.pkg + " " + strings.TrimPrefix(m.name, "Benchmark"), Contestant: fletch}
	unit, per, _ := strings.Cut(m.metric, "/")
	if unit == "ns" {
		r.Seconds = value / 1e9
	} else {
		r.Bytes = value
	}
	r.Targets = []report.Target{report.AtMost(unit+" per "+per, value, m.most, "")}
	return r, nil
}

// values finds the metric in lines such as "BenchmarkYield-2  1000000  120.5 ns/op".
func (m microBenchmark) values(out string) []float64 {
	var values []float64
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || trimCores(fields[0]) != m.name {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if v, err := strconv.ParseFloat(fields[i], 64); err == nil && fields[i+1] == m.metric {
				values = append(values, v)
			}
		}
	}
	return values
}

// trimCores drops the number of cores that testing adds to a benchmark's name.
func trimCores(name string) string {
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			return name[:i]
		}
	}
	return name
}
