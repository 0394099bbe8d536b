package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fletch/bench/contest"
	"fletch/bench/proc"
	"fletch/bench/report"
)

// The contestants of the benchmarks of a cluster.
const (
	embedded  = "embedded"
	onCluster = "cluster"
)

// localCluster is a cluster of processes of this machine.
type localCluster struct {
	program string // fletch
	dir     string
	ready   time.Duration // how long it took to be ready
	status  clusterStatus
}

type clusterStatus struct {
	Masters []struct {
		Address string
		PID     int
		Leader  bool
	}
	Workers []struct {
		ID  string
		PID int
	}
}

// startCluster starts a cluster in a directory of its own, with further flags; end ends it.
func startCluster(ctx context.Context, c Config, masters, workers int, flags ...string) (*localCluster, error) {
	if err := build(ctx, c, c.Repository, "./cmd/fletch"); err != nil {
		return nil, err
	}
	work, err := filepath.Abs(c.Work)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(work, "cluster-")
	if err != nil {
		return nil, err
	}
	program, err := filepath.Abs(c.bin("fletch"))
	if err != nil {
		return nil, err
	}
	l := &localCluster{program: program, dir: dir}
	began := time.Now()
	up := append([]string{"cluster", "up", "--dir", dir, "--masters", strconv.Itoa(masters), "--workers", strconv.Itoa(workers)}, flags...)
	if _, err := l.run(ctx, up...); err != nil {
		return nil, errors.Join(err, l.end())
	}
	l.ready = time.Since(began)
	out, err := l.run(ctx, "cluster", "status", "--dir", dir, "--json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &l.status)
	}
	if err != nil {
		return nil, errors.Join(err, l.end())
	}
	return l, nil
}

// run runs fletch and returns what it prints.
func (l *localCluster) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, l.program, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", cmd, err, stderr.String())
	}
	return string(out), nil
}

// downWait is how long the processes may take to end.
const downWait = 30 * time.Second

func (l *localCluster) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), downWait)
	defer cancel()
	_, err := l.run(ctx, "cluster", "down", "--dir", l.dir)
	return errors.Join(err, os.RemoveAll(l.dir))
}

// masters are the addresses of the masters.
func (l *localCluster) masters() string {
	var addresses []string
	for _, m := range l.status.Masters {
		addresses = append(addresses, m.Address)
	}
	return strings.Join(addresses, ",")
}

// plugin builds a package of this repository as a plugin.
func (l *localCluster) plugin(ctx context.Context, c Config, pkg string) (string, error) {
	file := filepath.Join(l.dir, filepath.Base(pkg)+".so")
	_, err := l.run(ctx, "build", filepath.Join(c.Repository, pkg), "-o", file)
	return file, err
}

// contestant submits a plugin's job and waits for it. Its memory is that of the workers; of what they take to compute
// nothing is known.
func (l *localCluster) contestant(name, plugin string, args func(output string) []string) contest.Contestant {
	return contest.Contestant{Name: name, Program: l.program, Servers: l.workers(), Args: func(output string) []string {
		return append([]string{"submit", "--master", l.masters(), plugin}, args(output)...)
	}}
}

// workers are the processes of the workers.
func (l *localCluster) workers() []int {
	var pids []int
	for _, w := range l.status.Workers {
		pids = append(pids, w.PID)
	}
	return pids
}

// clusterWordCount compares the cluster with the same work in one process, and tells what a cluster costs that does nothing.
func clusterWordCount(ctx context.Context, c Config) (rows []report.Row, err error) {
	input, err := text(ctx, c, c.Bytes)
	if err != nil {
		return nil, err
	}
	if err := build(ctx, c, c.Repository, "./examples/wordcount"); err != nil {
		return nil, err
	}
	l, err := startCluster(ctx, c, 3, 2)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.end()) }()
	idle, err := l.idle()
	if err != nil {
		return nil, err
	}
	plugin, err := l.plugin(ctx, c, "examples/wordcount")
	if err != nil {
		return nil, err
	}
	name := "word count " + size(c.Bytes)
	rows, err = run(ctx, c, name, c.Bytes, keysAndValues(),
		contest.Contestant{Name: embedded, Program: c.bin("wordcount"), Args: inputOutput(input)},
		l.contestant(onCluster, plugin, inputOutput(input)))
	if err != nil {
		return nil, err
	}
	rows[1].Targets = []report.Target{report.AtMost("time of embedded", rows[1].Seconds/rows[0].Seconds, 1.25, "times")}
	return append(rows, idle...), nil
}

// idle tells what the cluster takes before it has done anything.
func (l *localCluster) idle() ([]report.Row, error) {
	var largest int64
	pids := l.workers()
	for _, m := range l.status.Masters {
		pids = append(pids, m.PID)
	}
	for _, pid := range pids {
		status, err := proc.StatusOf(pid)
		if err != nil {
			return nil, err
		}
		largest = max(largest, status.Resident)
	}
	mb := float64(largest) / 1e6
	return []report.Row{
		{Benchmark: "cluster up, 3 masters and 2 workers", Contestant: onCluster, Seconds: l.ready.Seconds(),
			Targets: []report.Target{report.AtMost("time", l.ready.Seconds(), 3, "s")}},
		{Benchmark: "idle master or worker, the largest", Contestant: onCluster, PeakMB: mb,
			Targets: []report.Target{report.AtMost("resident", mb, 100, "MB")}},
	}, nil
}
