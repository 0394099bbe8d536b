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
	// against is another benchmark: most is then how many times its value this one may have.
	against string
	most    float64
}

var microBenchmarks = []microBenchmark{
	{pkg: "./engine/coro", name: "BenchmarkYield", metric: "ns/op", most: 150},
	{pkg: "./engine/coro", name: "BenchmarkParked", metric: "bytes/coroutine", most: 4096},
	{pkg: "./engine/batch", name: "BenchmarkEncodeInt64", metric: "ns/row", against: "BenchmarkByHandEncodeInt64", most: 1.5},
	{pkg: "./engine/batch", name: "BenchmarkDecodeInt64", metric: "ns/row", against: "BenchmarkByHandDecodeInt64", most: 1.5},
	{pkg: "./engine/batch", name: "BenchmarkEncodeString", metric: "ns/row", against: "BenchmarkByHandEncodeString", most: 1.5},
	{pkg: "./engine/batch", name: "BenchmarkDecodeString", metric: "ns/row", against: "BenchmarkByHandDecodeString", most: 1.5},
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
		for _, name := range []string{m.name, m.against} {
			if top, _, _ := strings.Cut(name, "/"); top != "" {
				names = append(names, top)
			}
		}
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

// row shows the median of what go test printed.
func (m microBenchmark) row(out string) (report.Row, error) {
	value, err := m.median(out, m.name)
	if err != nil {
		return report.Row{}, err
	}
	r := report.Row{Benchmark: m.pkg + " " + strings.TrimPrefix(m.name, "Benchmark"), Contestant: fletch}
	unit, per, _ := strings.Cut(m.metric, "/")
	if unit == "ns" {
		r.Seconds = value / 1e9
	} else {
		r.Bytes = value
	}
	if m.against == "" {
		r.Targets = []report.Target{report.AtMost(unit+" per "+per, value, m.most, "")}
		return r, nil
	}
	other, err := m.median(out, m.against)
	if err != nil {
		return report.Row{}, err
	}
	r.Targets = []report.Target{report.AtMost("times "+strings.TrimPrefix(m.against, "Benchmark"), value/other, m.most, "")}
	return r, nil
}

func (m microBenchmark) median(out, name string) (float64, error) {
	values := m.values(out, name)
	if len(values) == 0 {
		return 0, fmt.Errorf("%s %s printed no %s:\n%s", m.pkg, name, m.metric, out)
	}
	slices.Sort(values)
	return values[len(values)/2], nil
}

// values finds the metric in lines such as "BenchmarkYield-2  1000000  120.5 ns/op".
func (m microBenchmark) values(out, name string) []float64 {
	var values []float64
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) < 4 || trimCores(fields[0]) != name {
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
