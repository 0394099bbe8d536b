package suite

import (
	"context"
	"fmt"

	"fletch/bench/report"
)

// plenty is the memory in which nothing has to be spilled.
const plenty = 4 << 30

// spill sums up 100 million numbers by 20 million keys, in little memory and in plenty. DuckDB, which has plenty as well,
// vouches for the result.
func spill(ctx context.Context, c Config) ([]report.Row, error) {
	rows, keys := c.scaled(100e6), c.scaled(20e6)
	flags := []string{"--rows", number(rows), "--keys", number(keys)}
	sums := func(bytes int64) entrant {
		return entrant{
			name: fletch + " " + memorySize(bytes), module: c.Module, command: "./jobs/sums", env: withMemory(bytes),
			args: func(output string) []string { return append([]string{"--output", output}, flags...) },
		}
	}
	peer := entrant{name: duckdb, module: c.Module, command: "./cmd/duck", args: func(output string) []string {
		return append([]string{"--work", "sums", "--output", output, "--memory", memorySize(plenty)}, flags...)
	}}
	name := fmt.Sprintf("sum %s rows by %s keys", count(rows), count(keys))
	table, err := compete(ctx, c, name, 0, keysAndValues(), peer, sums(plenty), sums(c.MemoryBytes))
	if err != nil {
		return nil, err
	}
	ample, little := table[1], &table[2]
	little.Targets = []report.Target{
		report.AtMost("time of "+ample.Contestant, little.Seconds/ample.Seconds, 3, "times"), resident(*little, c.MemoryBytes),
	}
	return table, nil
}
