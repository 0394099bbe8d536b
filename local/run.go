package local

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sync/errgroup"

	"fletch/engine"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/internal/machine"
	"fletch/master/schedule"
	"fletch/master/state"
	"fletch/report"
	"fletch/shuffle"
	"fletch/storage"
	"fletch/worker/attempt"
)

// Run runs a job and returns once its outputs are published, or with the reason why not. None of them is published before
// every task has succeeded; should the disk then fail one of several, those before it stay. When ctx ends the job is
// cancelled.
func Run(ctx context.Context, job *engine.Job, config Config) (report.Job, error) {
	return run(ctx, job, config, nil)
}

// run is Run with watch called several times a second, if it is not nil.
func run(ctx context.Context, job *engine.Job, config Config, watch func(report.Job)) (report.Job, error) {
	config, err := config.withDefaults()
	if err != nil {
		return report.Job{}, fault.As(fault.Permanent, err)
	}
	p, err := prepare(ctx, job, config)
	if err != nil {
		return report.Job{}, err
	}
	return p.run(ctx, watch)
}

// prepared is a job that is planned as far as its graph and inputs allow, with nothing opened yet.
type prepared struct {
	config Config
	job    *engine.Job
	id     string
	graph  *plan.Graph
	splits map[int][]plan.Split // by source of files
	stages []plan.Stage
}

// prepare lists the inputs and cuts the graph.
func prepare(ctx context.Context, job *engine.Job, config Config) (*prepared, error) {
	graph, err := job.Graph()
	if err != nil {
		return nil, err
	}
	if err := storage.AbsoluteOutputs(graph); err != nil {
		return nil, err
	}
	p := &prepared{config: config, job: job, id: jobID(job.Name()), graph: graph, splits: map[int][]plan.Split{}}
	stages, err := plan.Stages(graph)
	if err != nil {
		return nil, fault.As(fault.Permanent, err)
	}
	for _, s := range stages {
		n := &graph.Nodes[s.Root]
		if n.Kind != plan.Source || len(n.Source.Patterns) == 0 {
			continue
		}
		if p.splits[n.ID], err = storage.Splits(ctx, n.Source.Patterns); err != nil {
			return nil, fmt.Errorf("%v: %w", n, err)
		}
	}
	p.stages, err = plan.Settle(graph, stages, plan.Facts{Splits: p.splits, Partitions: config.Partitions})
	return p, fault.As(fault.Permanent, err)
}

// jobID makes an identity of a job's name that is safe in file names.
func jobID(name string) string {
	safe := strings.Map(func(r rune) rune {
		if r < 128 && (r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, name)
	suffix := make([]byte, 4)
	rand.Read(suffix) // it never fails: crypto/rand ends the process instead
	return strings.Trim(safe[:min(len(safe), 40)], "-") + "-" + hex.EncodeToString(suffix)
}

// run opens what the job needs, runs it to its end and closes everything.
func (p *prepared) run(ctx context.Context, watch func(report.Job)) (out report.Job, err error) {
	defer func() {
		if err != nil {
			out.Error = err.Error()
		}
	}()
	started := time.Now()
	temp, release, err := storage.TempDir(p.config.TempDir)
	if err != nil {
		return report.Job{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	store, err := shuffle.NewStore(shuffle.Config{Dir: temp, MemoryBytes: attempt.BlockBytes(p.config.MemoryBytes)})
	if err != nil {
		return report.Job{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	outputs, err := p.openOutputs()
	if err != nil {
		return report.Job{}, err
	}
	defer func() { err = errors.Join(err, abort(outputs)) }()

	// The loop has waited for attempts to unwind by the time that it ends the scheduler.
	scheduler, err := coro.New(coro.Config{Runners: p.config.Parallelism, Grace: 100 * time.Millisecond, OnBlocked: func(name string, running time.Duration) {
		p.config.Log.Warn("a function keeps its core: other tasks go on beside it", "attempt", name, "running", running.Round(time.Second))
	}})
	if err != nil {
		return report.Job{}, fault.As(fault.Permanent, err)
	}
	// One attempt a core computes: sources read ahead, and the tables of more attempts would contend for memory and caches.
	// Fewer, if they had too little memory each. As many again have given back their memory and wait for the disk to have their
	// output, or wait for memory.
	pool := attempt.PoolBytes(p.config.MemoryBytes)
	seats := budget.Seats(pool, p.config.Parallelism, p.config.Parallelism)
	slots := 2 * seats
	board := schedule.NewBoard()
	board.Put(schedule.Worker{ID: "local", Slots: slots})
	l := &loop{
		prepared: p, machine: state.New(), board: board, outputs: outputs, scheduler: scheduler, watch: watch, started: started,
		startedCPU: machine.CPUTime(),
		attempts: &attempt.Job{
			Program: p.job.Program(), Stages: p.stages, Outputs: outputs, Shuffle: store, Memory: memory.NewGoAllocator(),
			Pool: budget.NewPool(pool, seats, seats), TempDir: temp, MaxLineBytes: p.config.MaxLineBytes,
		},
		running: map[state.AttemptID]*running{},
		causes:  map[state.AttemptID]error{},
		ended:   make(chan ended, slots),
	}
	return l.run(ctx)
}

// openOutputs begins the output of every sink that is written.
func (p *prepared) openOutputs() (map[int]storage.Output, error) {
	outputs := map[int]storage.Output{}
	for _, s := range p.stages {
		for _, id := range s.Outputs {
			n := &p.graph.Nodes[id]
			if n.Kind != plan.Sink || outputs[id] != nil {
				continue
			}
			o, err := storage.NewOutput(fmt.Sprintf("%s-%d", p.id, id), *n.Sink)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%v: %w", n, err), abort(outputs))
			}
			outputs[id] = o
		}
	}
	return outputs, nil
}

// abort removes what has not been published.
func abort(outputs map[int]storage.Output) error {
	var errs []error
	for _, o := range outputs {
		errs = append(errs, o.Abort())
	}
	return errors.Join(errs...)
}

// run serves the scheduler and the loop until the job has ended.
func (l *loop) run(ctx context.Context) (report.Job, error) {
	// Attempts are cancelled by the loop, one by one, so the scheduler outlives ctx.
	serving, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	var g errgroup.Group
	g.Go(func() error { return l.scheduler.Run(serving) })
	err := l.loop(ctx)
	stop(errors.New("the job has ended"))
	stuck := g.Wait()
	var s *coro.StuckError
	if errors.As(stuck, &s) && err != nil {
		stuck = nil
		l.config.Log.Warn("functions did not return; they are left behind", "attempts", slices.Compact(s.Names))
	}
	return l.view(), errors.Join(err, stuck)
}
