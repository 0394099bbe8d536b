package suite

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"strconv"
	"strings"

	"fletch/bench/contest"
	"fletch/bench/report"
)

// memory is what a contestant may take at most, where it has a setting for that.
const memory = 600e6

// wordCount is the main contest: Fletch's example job against a program written by hand for this alone, and against
// DuckDB.
func wordCount(ctx context.Context, c Config) ([]report.Row, error) {
	rows, err := countWords(ctx, c, "word count "+size(c.Bytes), c.Bytes, c.Rounds, limit, duckdb, fletch)
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
	once, err := countWords(ctx, c, "scale "+size(c.Bytes), c.Bytes, c.Rounds, limit, fletch)
	if err != nil {
		return nil, err
	}
	four, err := countWords(ctx, c, "scale "+size(4*c.Bytes), 4*c.Bytes, c.Rounds, limit, fletch)
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
	const rounds = 20
	rows, err := countWords(ctx, c, "word count 1 KB", 1000, rounds, limit, fletch)
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

// wordCounter is a command that counts words.
type wordCounter struct {
	module  string // directory
	command string // package in the module
	args    func(input, output string) []string
}

func wordCounters(c Config) map[string]wordCounter {
	return map[string]wordCounter{
		limit: {c.Module, "./cmd/limit", inputOutput},
		duckdb: {c.Module, "./cmd/duck", func(input, output string) []string {
			return append(inputOutput(input, output), "--memory", fmt.Sprintf("%.0fMB", memory/1e6))
		}},
		fletch: {c.Repository, "./examples/wordcount", inputOutput},
	}
}

func inputOutput(input, output string) []string {
	return []string{"--input", input, "--output", output}
}

// countWords runs a contest of the named contestants over a text of the given size.
func countWords(ctx context.Context, c Config, name string, bytes int64, rounds int, names ...string) ([]report.Row, error) {
	input, err := text(ctx, c, bytes)
	if err != nil {
		return nil, err
	}
	work := contest.Contest{
		Name: name, Input: input, Scratch: c.data(), Rounds: rounds, Timeout: c.Timeout, Progress: c.Progress,
	}
	for _, name := range names {
		counter := wordCounters(c)[name]
		if err := build(ctx, c, counter.module, counter.command); err != nil {
			return nil, err
		}
		work.Contestants = append(work.Contestants, contest.Contestant{
			Name: name, Program: c.bin(path.Base(counter.command)), Args: counter.args,
		})
	}
	scores, err := work.Run(ctx)
	if err != nil {
		return nil, err
	}
	return rowsOf(name, bytes, scores), nil
}

// text returns a file of Zipf text. A child makes it; contest.Contest says why.
func text(ctx context.Context, c Config, bytes int64) (file string, err error) {
	if err := build(ctx, c, c.Module, "./cmd/zipf"); err != nil {
		return "", err
	}
	fmt.Fprintf(c.Progress, "text of %s\n", size(bytes))
	cmd := exec.CommandContext(ctx, c.bin("zipf"),
		"--dir", c.data(), "--bytes", strconv.FormatInt(bytes, 10), "--words", strconv.Itoa(c.Words))
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// rowsOf shows scores over an input of the given size, and how the contestants compare.
func rowsOf(name string, bytes int64, scores []contest.Score) []report.Row {
	rows := make([]report.Row, len(scores))
	for i, s := range scores {
		rows[i] = report.Row{
			Benchmark:  name,
			Contestant: s.Contestant,
			Seconds:    s.Wall.Seconds(),
			Rate:       float64(bytes) / 1e6 / s.Wall.Seconds(),
			CoreRate:   float64(bytes) / 1e6 / s.CPU.Seconds(),
			PeakMB:     float64(s.PeakBytes) / 1e6,
			Speed:      map[string]float64{},
		}
		for _, peer := range scores {
			rows[i].Speed[peer.Contestant] = peer.Wall.Seconds() / s.Wall.Seconds()
		}
	}
	return rows
}
