package suite

import (
	"context"
	"fmt"
	"strconv"

	"fletch/bench/report"
)

// transfer measures moving blocks from one worker to another over loopback: served, fetched, verified and decoded, with
// both ends on the same cores.
func transfer(ctx context.Context, c Config) ([]report.Row, error) {
	const pkg = "./shuffle/transfer"
	fmt.Fprintf(c.Progress, "go test -bench %s\n", pkg)
	out, err := goRun(ctx, c.Repository, "test", "-run", "^$", "-bench", "^BenchmarkFetch$", "-count", strconv.Itoa(c.Rounds), pkg)
	if err != nil {
		return nil, err
	}
	var rows []report.Row
	for _, bytes := range []int{1000, 20} {
		m := microBenchmark{pkg: pkg, name: fmt.Sprintf("BenchmarkFetch/rows_of_%d_bytes", bytes)}
		row := report.Row{Benchmark: fmt.Sprintf("shuffle between workers, rows of %d bytes", bytes), Contestant: fletch}
		m.metric = "MB/s"
		if row.Rate, err = m.median(out, m.name); err != nil {
			return nil, err
		}
		m.metric = "cpu-s/GB"
		cpu, err := m.median(out, m.name)
		if err != nil {
			return nil, err
		}
		row.CoreRate = 1000 / cpu
		rows = append(rows, row)
	}
	return rows, nil
}
