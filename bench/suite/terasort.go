package suite

import (
	"context"
	"errors"
	"fmt"

	"fletch/bench/contest"
	"fletch/bench/report"
	"fletch/bench/tera"
)

// teraBytes is how much TeraSort sorts where the word count's text has 1 GB.
const teraBytes = 2e9

// teraSort is Fletch's example against GNU sort with the same memory. Both end when the disk has the result.
func teraSort(ctx context.Context, c Config) ([]report.Row, error) {
	file, bytes, err := lines(ctx, c, teraBytes)
	if err != nil {
		return nil, err
	}
	sort := entrant{name: gnuSort, module: c.Module, command: "./cmd/gnusort", args: func(output string) []string {
		return append(inputOutput(file)(output), "--memory", fmt.Sprintf("%db", c.MemoryBytes))
	}}
	rows, err := compete(ctx, c, c.sorting(bytes), bytes, &contest.Same{}, sort, teraSorter(c, file))
	if err != nil {
		return nil, err
	}
	own := &rows[1]
	own.Targets = []report.Target{report.AtLeast("speed of GNU sort", own.Speed[gnuSort], 1.5, "times"), resident(*own, c.MemoryBytes)}
	return rows, nil
}

// linear shows that the time of a sort grows as its input does, and that its memory doesn't.
func linear(ctx context.Context, c Config) (rows []report.Row, err error) {
	for _, n := range []float64{0.5e9, 1e9, 2e9, 4e9, 8e9} {
		file, bytes, err := lines(ctx, c, n)
		if err != nil {
			return rows, err
		}
		more, err := compete(ctx, c, c.sorting(bytes), bytes, &contest.Sorted{Input: file}, teraSorter(c, file))
		if err != nil {
			return rows, err
		}
		own := more[0]
		own.Targets = []report.Target{resident(own, c.MemoryBytes)}
		if len(rows) > 0 {
			first := rows[0]
			own.Targets = append(own.Targets,
				report.AtMost(fmt.Sprintf("time per byte of %s (%.2f)", first.Benchmark, first.Rate/own.Rate), first.Rate/own.Rate, 1.15, "times"),
				report.AtMost(fmt.Sprintf("its peak (%.2f)", own.PeakMB/first.PeakMB), own.PeakMB/first.PeakMB, 1.15, "times"))
		}
		rows = append(rows, own)
	}
	return rows, nil
}

// clusterTeraSort compares the cluster with the same work in one process; its workers share the memory that the process
// has alone.
func clusterTeraSort(ctx context.Context, c Config) (rows []report.Row, err error) {
	file, bytes, err := lines(ctx, c, teraBytes)
	if err != nil {
		return nil, err
	}
	own := teraSorter(c, file)
	if err := build(ctx, c, own.module, own.command); err != nil {
		return nil, err
	}
	const workers = 2
	l, err := startCluster(ctx, c, 3, workers, "--memory", number(c.MemoryBytes))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.end()) }()
	plugin, err := l.plugin(ctx, c, "examples/terasort")
	if err != nil {
		return nil, err
	}
	rows, err = run(ctx, c, c.sorting(bytes), bytes, &contest.Same{},
		contest.Contestant{Name: embedded, Program: c.bin("terasort"), Args: own.args, Env: own.env},
		l.contestant(onCluster, plugin, own.args))
	if err != nil {
		return nil, err
	}
	rows[1].Targets = []report.Target{
		report.AtMost("time of embedded", rows[1].Seconds/rows[0].Seconds, 1.25, "times"), residentWorkers(rows[1], c.MemoryBytes, workers),
	}
	return rows, nil
}

// sorting names a benchmark that sorts.
func (c Config) sorting(bytes int64) string {
	return fmt.Sprintf("sort %s in %s", size(bytes), memorySize(c.MemoryBytes))
}

// teraSorter is the example that sorts lines by their first ten bytes, with the memory of the configuration.
func teraSorter(c Config, file string) entrant {
	return entrant{name: fletch, module: c.Repository, command: "./examples/terasort", args: inputOutput(file), env: withMemory(c.MemoryBytes)}
}

// lines returns a file of lines to sort, and its size.
func lines(ctx context.Context, c Config, n float64) (file string, bytes int64, err error) {
	lines := c.scaled(n / tera.LineBytes)
	file, err = input(ctx, c, "lines", "--lines", number(lines))
	return file, lines * tera.LineBytes, err
}

// withMemory is the environment in which Fletch's jobs have so much memory.
func withMemory(bytes int64) []string { return []string{"FLETCH_MEMORY=" + number(bytes)} }

// resident is the target that a process keeps to its budget but for what the runtime and the program themselves take.
func resident(r report.Row, budget int64) report.Target {
	return atMostResident(r, budget*110/100+64<<20)
}

// A worker that has a job is three processes: its agent, an executor, and a spare one. Each has 36 MiB before it does
// anything, 32 of them pages of the program, which the others map as well but which count in each.
const (
	workerProcesses  = 3
	idleProcessBytes = 36 << 20
)

// residentWorkers is the target that workers keep together to the budget which they share, on top of what their processes
// have before they do anything.
func residentWorkers(r report.Row, budget, workers int64) report.Target {
	return atMostResident(r, budget*110/100+workers*workerProcesses*idleProcessBytes)
}

func atMostResident(r report.Row, bytes int64) report.Target {
	return report.AtMost("resident", r.PeakMB, float64(bytes/1e5)/10, "MB")
}
