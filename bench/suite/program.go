package suite

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"fletch/bench/contest"
	"fletch/bench/report"
)

// entrant is a contestant whose program is built first.
type entrant struct {
	name    string
	module  string // directory
	command string // package in the module
	args    func(output string) []string
	env     []string
}

// compete builds the programs of the entrants and lets them do the same work, over an input of so many bytes.
func compete(ctx context.Context, c Config, name string, bytes int64, judge contest.Judge, entrants ...entrant) ([]report.Row, error) {
	var contestants []contest.Contestant
	for _, e := range entrants {
		if err := build(ctx, c, e.module, e.command); err != nil {
			return nil, err
		}
		contestants = append(contestants, contest.Contestant{Name: e.name, Program: c.bin(path.Base(e.command)), Args: e.args, Env: e.env})
	}
	return run(ctx, c, name, bytes, judge, contestants...)
}

// run lets the contestants do the same work, over an input of so many bytes.
func run(ctx context.Context, c Config, name string, bytes int64, judge contest.Judge, contestants ...contest.Contestant) ([]report.Row, error) {
	if err := os.MkdirAll(c.data(), 0o755); err != nil {
		return nil, err
	}
	scores, err := contest.Contest{
		Name: name, Scratch: c.data(), Rounds: c.Rounds, Timeout: c.Timeout, Judge: judge, Contestants: contestants, Progress: c.Progress,
	}.Run(ctx)
	if err != nil {
		return nil, err
	}
	return rowsOf(name, bytes, scores), nil
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
			PeakMB:     float64(s.PeakBytes) / 1e6,
			Speed:      map[string]float64{},
		}
		if s.CPU > 0 {
			rows[i].CoreRate = float64(bytes) / 1e6 / s.CPU.Seconds()
		}
		for _, peer := range scores {
			rows[i].Speed[peer.Contestant] = peer.Wall.Seconds() / s.Wall.Seconds()
		}
	}
	return rows
}

// input returns a file that the command data makes. What this process held would count in what it measures.
func input(ctx context.Context, c Config, kind string, flags ...string) (file string, err error) {
	if err := build(ctx, c, c.Module, "./cmd/data"); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, c.bin("data"), append([]string{kind, "--dir", c.data()}, flags...)...)
	fmt.Fprintf(c.Progress, "data %s %s\n", kind, strings.Join(flags, " "))
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	return strings.TrimSpace(string(out)), nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

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
