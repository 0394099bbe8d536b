package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/shuffle"
	"fletch/shuffle/transfer"
	"fletch/storage"
	"fletch/worker/attempt"
)

// job is the one job of the executor: what its attempts share, and those that run.
type job struct {
	*description
	attempts  *attempt.Job
	fetch     *transfer.Client
	scheduler *coro.Scheduler
	stop      context.CancelFunc // of the scheduler
	stopped   chan error         // takes its outcome; room for it
	producers map[int]producers  // by stage
	running   map[string]*running
}

// open makes a job that is ready to be served out of its description.
func (x *executor) open(d *description, l limits) (*job, error) {
	code, err := d.load(x.config.Open)
	if err != nil {
		return nil, err
	}
	outputs, err := d.outputs()
	if err != nil {
		return nil, err
	}
	scheduler, err := coro.New(coro.Config{Runners: d.parallelism, Grace: grace, OnBlocked: x.blocked})
	if err != nil {
		return nil, fault.As(fault.Permanent, err)
	}
	fetch := transfer.NewClient(d.id)
	store, err := shuffle.NewStore(shuffle.Config{
		Dir: d.dir, MemoryBytes: l.shuffleBytes(), AheadBytes: l.aheadBytes(),
		Durable: true, Place: x.place, Find: x.find, Fetch: fetch,
	})
	if err != nil {
		return nil, err
	}
	return &job{
		description: d, fetch: fetch, scheduler: scheduler, stopped: make(chan error, 1),
		producers: map[int]producers{}, running: map[string]*running{},
		attempts: &attempt.Job{
			Program: code.Program(), Stages: d.stages, Outputs: outputs, Shuffle: store, Memory: memory.NewGoAllocator(),
			Pool: budget.NewPool(l.poolBytes(), d.parallelism, d.slots), TempDir: d.dir, MaxLineBytes: d.maxLineBytes,
		},
	}, nil
}

// outputs joins the outputs that the master has staged. Their places are those of the description: the client has made
// them absolute, which this process can't.
func (d *description) outputs() (map[int]storage.Output, error) {
	outputs := map[int]storage.Output{}
	for i := range d.graph.Nodes {
		n := &d.graph.Nodes[i]
		if n.Kind != plan.Sink {
			continue
		}
		o, err := storage.JoinOutput(fmt.Sprintf("%s-%d", d.id, n.ID), *n.Sink)
		if err != nil {
			return nil, fmt.Errorf("%v: %w", n, err)
		}
		outputs[n.ID] = o
	}
	return outputs, nil
}

// blocked tells in the log of an attempt that it keeps a core.
func (x *executor) blocked(name string, running time.Duration) {
	x.note(name, fmt.Sprintf("the function keeps its core, running for %v without a pause: other tasks go on beside it", running.Round(time.Second)))
}

// serve lets attempts run until close.
func (j *job) serve() {
	ctx, stop := context.WithCancel(context.Background())
	j.stop = stop
	go func() { j.stopped <- j.scheduler.Run(ctx) }()
}

// close cancels the coroutines, whose contexts have ended with the executor, and gives them a moment to unwind. What is
// committed stays where the agent has it.
func (j *job) close() error {
	j.stop()
	defer j.fetch.Close()
	return errors.Join(<-j.stopped, j.attempts.Shuffle.Close())
}
