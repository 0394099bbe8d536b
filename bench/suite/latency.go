package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"fletch/bench/report"
	"fletch/client"
	"fletch/plugins"
	rep "fletch/report"
	"fletch/worker/executor"
)

// twoStageJob is a job of two stages that does nothing: %d makes each plugin another one.
const twoStageJob = `// Package main is a job of two stages that does nothing.
package main

import (
	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

// Version makes the plugin another one.
const Version = %d

var Seen = Version

// Job writes no lines.
func Job(args []string) (*engine.Job, error) {
	job := engine.NewJob("nothing")
	none := engine.FromSlice(job, []string{"a"})
	textio.Write(engine.Distinct(engine.Filter(none, func(string) bool { return Seen < 0 })), args[0])
	return job, nil
}

func main() { local.Main(Job) }
`

// latency measures a job of two stages that does nothing, from the client's first call to its last reply.
func latency(ctx context.Context, c Config) (rows []report.Row, err error) {
	const plugins, again = 5, 20
	l, err := startCluster(ctx, c, 3, 2)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.end()) }()
	cluster, err := client.Dial(ctx, []string{l.status.Masters[0].Address})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	var fresh, known []time.Duration
	for version := range plugins {
		file, err := l.nothing(ctx, c, version)
		if err != nil {
			return nil, err
		}
		for i := range 1 + again/plugins {
			took, err := l.submit(ctx, cluster, file, filepath.Join(l.dir, fmt.Sprintf("out-%d-%d", version, i)))
			if err != nil {
				return nil, err
			}
			if i == 0 {
				fresh = append(fresh, took)
			} else {
				known = append(known, took)
			}
		}
	}
	row := func(name string, times []time.Duration, most float64) report.Row {
		slices.Sort(times)
		median := times[len(times)/2].Seconds()
		return report.Row{Benchmark: name, Contestant: onCluster, Seconds: median, Targets: []report.Target{report.AtMost("time", 1e3*median, most, "ms")}}
	}
	return []report.Row{row("empty job, new plugin", fresh, 150), row("empty job, known plugin", known, 50)}, nil
}

// nothing builds a version of the job that does nothing, in a directory inside of the repository's module.
func (l *localCluster) nothing(ctx context.Context, c Config, version int) (plugin string, err error) {
	dir, err := os.MkdirTemp(c.Repository, "nothing-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), fmt.Appendf(nil, twoStageJob, version), 0o666); err != nil {
		return "", err
	}
	file := filepath.Join(l.dir, fmt.Sprintf("nothing-%d.so", version))
	_, err = l.run(ctx, "build", dir, "-o", file)
	return file, err
}

// submit runs a plugin's job and returns how long it took, its build and description excluded.
func (l *localCluster) submit(ctx context.Context, cluster *client.Client, plugin string, args ...string) (time.Duration, error) {
	sha256, _, err := plugins.Sum(plugin)
	if err != nil {
		return 0, err
	}
	graph, err := executor.Describe(ctx, executor.DescribeConfig{Executable: l.program, Path: plugin, SHA256: sha256, Args: args})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := cluster.PutPlugin(ctx, plugin, sha256); err != nil {
		return 0, err
	}
	id := client.NewID(graph.Job)
	if _, err := cluster.Submit(ctx, client.Submission{ID: id, Graph: graph, Plugin: sha256, Args: args}); err != nil {
		return 0, err
	}
	end, err := cluster.Watch(ctx, id, func(rep.Job) {})
	took := time.Since(began)
	if err == nil && end.State != rep.Succeeded {
		err = fmt.Errorf("the job is %s: %s", end.State, end.Error)
	}
	return took, err
}
