package suite

import (
	"context"
	"fmt"

	"fletch/bench/contest"
	"fletch/bench/report"
)

// memory is what a contestant may take at most, where it has a setting for that.
const memory = 600e6

// wordCount is the main contest: Fletch's example job against a program written by hand for this alone, and against
// DuckDB.
func wordCount(ctx context.Context, c Config) ([]report.Row, error) {
	rows, err := countWords(ctx, c, "word count "+size(c.Bytes), c.Bytes, limit, duckdb, fletch)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if r.Contestant == fletch {
			rows[i].Targets = []report.Target{
				report.AtLeast("speed of the limit", r.Speed[limit], 0.6, "times"),
				report.AtLeast("speed of DuckDB", r.Speed[duckdb], 1.5, "times"),
				report.AtMost("peak", r.PeakMB, memory/1e6, "MB"),
			}
		}
	}
	return rows, nil
}

// scale shows that time grows as the input does, and that memory doesn't.
func scale(ctx context.Context, c Config) ([]report.Row, error) {
	once, err := countWords(ctx, c, "scale "+size(c.Bytes), c.Bytes, limit, fletch)
	if err != nil {
		return nil, err
	}
	four, err := countWords(ctx, c, "scale "+size(4*c.Bytes), 4*c.Bytes, limit, fletch)
	if err != nil {
		return nil, err
	}
	for i := range four {
		if four[i].Contestant == fletch {
			four[i].Targets = []report.Target{
				report.AtMost("time of "+size(c.Bytes), four[i].Seconds/once[i].Seconds, 4.4, "times"),
				report.AtMost("peak", four[i].PeakMB, memory/1e6, "MB"),
			}
		}
	}
	return append(once, four...), nil
}

// small shows what it costs to start, plan, run and end.
func small(ctx context.Context, c Config) ([]report.Row, error) {
	c.Rounds = 20
	rows, err := countWords(ctx, c, "word count 1 KB", 1000, limit, fletch)
	if err != nil {
		return nil, err
	}
	for i, r := range rows {
		if r.Contestant == fletch {
			rows[i].Targets = []report.Target{report.AtMost("time", 1e3*r.Seconds, 50, "ms")}
		}
	}
	return rows, nil
}

// wordCounters are the contestants that count words.
func wordCounters(c Config, input string) map[string]entrant {
	return map[string]entrant{
		limit: {name: limit, module: c.Module, command: "./cmd/limit", args: inputOutput(input)},
		duckdb: {name: duckdb, module: c.Module, command: "./cmd/duck", args: func(output string) []string {
			return append(inputOutput(input)(output), "--memory", fmt.Sprintf("%.0fMB", memory/1e6))
		}},
		fletch: {name: fletch, module: c.Repository, command: "./examples/wordcount", args: inputOutput(input)},
	}
}

// inputOutput makes the flags that most programs have.
func inputOutput(input string) func(output string) []string {
	return func(output string) []string { return []string{"--input", input, "--output", output} }
}

// countWords runs a contest of the named contestants over a text of the given size.
func countWords(ctx context.Context, c Config, name string, bytes int64, names ...string) ([]report.Row, error) {
	input, err := text(ctx, c, bytes)
	if err != nil {
		return nil, err
	}
	var entrants []entrant
	for _, name := range names {
		entrants = append(entrants, wordCounters(c, input)[name])
	}
	return compete(ctx, c, name, bytes, keysAndValues(), entrants...)
}

// keysAndValues judges tables of keys and values.
func keysAndValues() *contest.Rows { return &contest.Rows{Header: []string{"key", "value"}} }

// text returns a file of Zipf text.
func text(ctx context.Context, c Config, bytes int64) (file string, err error) {
	return input(ctx, c, "text", "--bytes", number(bytes), "--words", number(int64(c.Words)))
}
