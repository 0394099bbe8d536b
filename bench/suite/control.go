package suite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"fletch/api"
	"fletch/bench/proc"
	"fletch/bench/report"
	"fletch/client"
	"fletch/engine/plan"
	"fletch/plugins"
	rep "fletch/report"
	"fletch/test/fakeworker"
)

// control measures the masters alone: a job of very many tasks that do nothing, on workers that are simulated in this
// process and share its machine with the masters.
func control(ctx context.Context, c Config) (rows []report.Row, err error) {
	const tasks, workers, slots = 100_000, 1_000, 8
	l, err := startCluster(ctx, c, 3, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.end()) }()
	// The real worker must not take part: there is no plugin that it could open.
	if err := syscall.Kill(l.status.Workers[0].PID, syscall.SIGTERM); err != nil {
		return nil, fmt.Errorf("end the worker: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var g errgroup.Group
	defer func() { err = errors.Join(err, g.Wait()) }()
	simulated, end := context.WithCancel(ctx)
	defer end()
	connected := make(chan struct{}, 100*workers) // one for each Welcome
	for i := range workers {
		w := &fakeworker.Worker{
			ID: fmt.Sprintf("w%d", i), Incarnation: "one", Masters: strings.Split(l.masters(), ","), Slots: slots, Inline: true, Attempt: nothing,
			Connected: func(*api.Welcome) { connected <- struct{}{} },
		}
		g.Go(func() error { return w.Run(simulated) })
	}
	for range workers {
		select {
		case <-connected:
		case <-ctx.Done():
			return nil, fmt.Errorf("the workers do not connect: %w", ctx.Err())
		}
	}
	cluster, err := client.Dial(ctx, strings.Split(l.masters(), ","))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, cluster.Close()) }()
	fmt.Fprintf(c.Progress, "control plane: %d tasks on %d workers\n", tasks, workers)
	done, err := l.manyTasks(ctx, c, cluster, tasks)
	if err != nil {
		return nil, err
	}
	var peak int64
	for _, m := range l.status.Masters {
		status, err := proc.StatusOf(m.PID)
		if err != nil {
			return nil, err
		}
		peak = max(peak, status.Peak)
	}
	rate, mb := tasks/done.Seconds, float64(peak)/1e6
	return []report.Row{{
		Benchmark: "control plane, 100,000 tasks", Contestant: onCluster, Seconds: done.Seconds, PeakMB: mb,
		Targets: []report.Target{
			report.AtLeast("durable completions", rate, 5000, "a second"),
			report.AtMost("peak of a master", mb, 1<<30/1e6, "MB"),
		},
	}}, nil
}

// manyTasks runs a job of that many map tasks and one reduce task. The plugin is never opened: any file serves.
func (l *localCluster) manyTasks(ctx context.Context, _ Config, cluster *client.Client, tasks int64) (client.Job, error) {
	sha256, _, err := plugins.Sum(l.program)
	if err == nil {
		err = cluster.PutPlugin(ctx, l.program, sha256)
	}
	if err != nil {
		return client.Job{}, err
	}
	graph := &plan.Graph{Job: "many"}
	exchange := plan.Node{ID: sources, Kind: plan.Exchange, Op: "Count", Site: "bench:2", Type: "value: int64", Exchange: &plan.Shuffle{Partitions: 1}}
	for i := range sources {
		graph.Nodes = append(graph.Nodes, plan.Node{
			ID: i, Kind: plan.Source, Op: "Range", Site: "bench:1", Type: "value: int64", Source: &plan.Input{Items: tasks / sources, ItemBytes: 128 << 20},
		})
		exchange.Inputs = append(exchange.Inputs, i)
	}
	graph.Nodes = append(graph.Nodes, exchange, plan.Node{
		ID: sources + 1, Kind: plan.Sink, Op: "Write", Site: "bench:3", Type: "value: int64", Inputs: []int{sources},
		Sink: &plan.Location{Path: filepath.Join(l.dir, "out"), Suffix: ".txt"},
	})
	id := client.NewID("many")
	if _, err := cluster.Submit(ctx, client.Submission{ID: id, Graph: graph, Plugin: sha256}); err != nil {
		return client.Job{}, err
	}
	began := time.Now()
	done, err := cluster.Watch(ctx, id, func(rep.Job) {})
	switch {
	case err != nil:
		return done, err
	case done.State != rep.Succeeded:
		return done, fmt.Errorf("the job is %s after %v: %s", done.State, time.Since(began), done.Error)
	}
	completed := 0
	for _, s := range done.Stages {
		completed += s.Completed
	}
	if completed != int(tasks)+1 {
		return done, fmt.Errorf("it had %d tasks, want %d", completed, tasks+1)
	}
	return done, nil
}

// sources is how many sources the tasks belong to, as one has 10,000 at the most.
const sources = 10

// nothing ends an attempt at once, with what the masters want to hear.
func nothing(_ context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
	if start.GetTask().GetStage() < sources {
		return fakeworker.Succeeded(start, &api.Result{Shuffles: []*api.ShuffleOutput{{Exchange: sources, Bytes: []int64{100}}}, Metrics: &api.Metrics{RowsIn: 1}})
	}
	part, err := fakeworker.WritePart(job, start.GetAttempt(), sources+1, 0, "done\n")
	if err != nil {
		return fakeworker.Failed(start, err)
	}
	return fakeworker.Succeeded(start, &api.Result{Parts: []*api.Part{part}})
}
