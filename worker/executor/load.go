package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/api"
	"fletch/engine"
	"fletch/engine/coro"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/shuffle"
	"fletch/shuffle/transfer"
	"fletch/storage"
	"fletch/worker/attempt"
)

// description is what the agent says of the job.
type description struct {
	id    string
	dir   string // for intermediate data
	graph *plan.Graph
	slots int

	plugin       string
	args         []string
	stages       []plan.Stage
	maxLineBytes int
	parallelism  int
}

// loaded is the outcome of loading.
type loaded struct {
	job *engine.Job
	of  *description
	err error
}

// load begins to load the job. User code runs meanwhile, so it may never end.
func (x *executor) load(m *api.Load) error {
	x.limits.set(m.GetLimits().GetMemoryBytes())
	d, err := descriptionOf(m)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	go func() {
		job, err := d.load(x.config.Open)
		x.loaded <- loaded{job, d, err}
	}()
	return nil
}

// descriptionOf checks what the agent says of the job.
func descriptionOf(m *api.Load) (*description, error) {
	graph, err := m.GetGraph().Plan()
	if err != nil {
		return nil, err
	}
	if err := graph.Validate(); err != nil {
		return nil, err
	}
	stages, err := api.PlanStages(m.GetStages())
	if err != nil {
		return nil, err
	}
	if err := checkStages(graph, stages); err != nil {
		return nil, err
	}
	d := &description{
		id: m.GetJob(), dir: m.GetDir(), graph: graph, slots: int(m.GetSlots()), plugin: m.GetPlugin(),
		args: m.GetArgs(), stages: stages, maxLineBytes: int(m.GetMaxLineBytes()), parallelism: int(m.GetParallelism()),
	}
	if d.id == "" || d.dir == "" || d.slots < 1 || d.parallelism < 1 || d.maxLineBytes < 1 {
		return nil, fmt.Errorf("job %q, directory %q, %d slots, %d cores, %d bytes a line: none of them may be missing",
			d.id, d.dir, d.slots, d.parallelism, d.maxLineBytes)
	}
	return d, nil
}

// checkStages sees that the stages are of the graph.
func checkStages(g *plan.Graph, stages []plan.Stage) error {
	for i := range stages {
		s := &stages[i]
		for _, node := range append(slices.Concat(s.Nodes, s.Outputs), s.Root) {
			if node >= len(g.Nodes) {
				return fmt.Errorf("stage %d has operator %d, the graph has %d", i, node, len(g.Nodes))
			}
		}
		if s.ID != i {
			return fmt.Errorf("stage %d stands at position %d", s.ID, i)
		}
		if k := g.Nodes[s.Root].Kind; k != plan.Source && k != plan.Exchange {
			return fmt.Errorf("stage %d begins with %v", i, &g.Nodes[s.Root])
		}
	}
	return nil
}

// load opens the plugin, calls its function Job and sees that the graph is the one that was submitted.
func (d *description) load(open Opener) (*engine.Job, error) {
	declare, err := open(d.plugin)
	if err != nil {
		return nil, err
	}
	job, err := engine.Declare(declare, d.args)
	if err != nil {
		return nil, fault.As(fault.Permanent, fmt.Errorf("the function Job failed on this worker, as it did not where the job was submitted: %w", err))
	}
	have, err := job.Graph()
	if err != nil {
		return nil, fault.As(fault.Permanent, err)
	}
	return job, fault.As(fault.Permanent, plan.Diff(d.graph, have))
}

// begin answers Load. If the job is loaded, attempts may follow.
func (x *executor) begin(l loaded) {
	x.loading = false
	err := l.err
	if err == nil {
		x.job, err = x.open(l)
	}
	if err == nil {
		x.ticks = time.Tick(reportEvery)
	}
	x.out.add(&api.ExecutorMessage{Message: &api.ExecutorMessage_Loaded{Loaded: &api.Loaded{Error: api.ErrorOf(err)}}})
}

// job is the one job of the executor.
type job struct {
	*description
	attempts  attempt.Job // without TableBytes, which each attempt gets when it starts
	fetch     *transfer.Client
	scheduler *coro.Scheduler
	stop      context.CancelFunc // of the scheduler
	stopped   chan error         // takes its outcome; room for it
	producers map[int]producers  // by stage
	running   map[string]*running
}

// open makes what the attempts of a job share.
func (x *executor) open(l loaded) (*job, error) {
	d := l.of
	outputs, err := d.outputs()
	if err != nil {
		return nil, err
	}
	fetch := transfer.NewClient(d.id)
	store, err := shuffle.NewStore(shuffle.Config{
		Dir: d.dir, MemoryBytes: x.limits.shuffleBytes(), BufferBytes: x.limits.bufferBytes(d.slots),
		Durable: true, Place: x.place, Find: x.find, Fetch: fetch,
	})
	if err != nil {
		return nil, err
	}
	scheduler, err := coro.New(coro.Config{Runners: d.parallelism, Grace: grace, OnBlocked: x.blocked})
	if err != nil {
		return nil, errors.Join(fault.As(fault.Permanent, err), store.Close())
	}
	j := &job{
		description: d, fetch: fetch, scheduler: scheduler, stopped: make(chan error, 1), producers: map[int]producers{}, running: map[string]*running{},
		attempts: attempt.Job{
			Program: l.job.Program(), Stages: d.stages, Outputs: outputs, Shuffle: store, Memory: memory.NewGoAllocator(),
			MaxLineBytes: d.maxLineBytes,
		},
	}
	var ctx context.Context
	ctx, j.stop = context.WithCancel(context.Background()) // by close, when the executor ends
	go func() { j.stopped <- scheduler.Run(ctx) }()
	return j, nil
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

// close cancels the coroutines, whose contexts have ended with the executor, and gives them a moment to unwind. What is
// committed stays where the agent has it.
func (j *job) close() error {
	j.stop()
	defer j.fetch.Close()
	return errors.Join(<-j.stopped, j.attempts.Shuffle.Close())
}
