package executor

import (
	"fmt"
	"slices"
	"time"

	"fletch/api"
	"fletch/engine"
	"fletch/engine/plan"
	"fletch/fault"
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
	job *job
	err error
}

// load begins to load the job. User code runs meanwhile, so it may never end.
func (x *executor) load(m *api.Load) error {
	x.limits.set(m.GetLimits().GetMemoryBytes())
	d, err := descriptionOf(m)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	limits := x.limits
	go func() {
		job, err := x.open(d, limits)
		x.loaded <- loaded{job, err}
	}()
	return nil
}

// begin answers Load. If the job is loaded, attempts may follow.
func (x *executor) begin(l loaded) {
	x.loading = false
	if l.err == nil {
		x.job, x.ticks = l.job, time.Tick(reportEvery)
		l.job.limit(x.limits) // which may have changed while it was loaded
		l.job.serve()
	}
	x.out.add(&api.ExecutorMessage{Message: &api.ExecutorMessage_Loaded{Loaded: &api.Loaded{Error: api.ErrorOf(l.err)}}})
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
		for _, node := range append(slices.Concat(s.Nodes, s.Outputs, s.Sides), s.Root) {
			if node >= len(g.Nodes) {
				return fmt.Errorf("stage %d has operator %d, the graph has %d", i, node, len(g.Nodes))
			}
		}
		if s.ID != i {
			return fmt.Errorf("stage %d stands at position %d", s.ID, i)
		}
		if k := g.Nodes[s.Root].Kind; k != plan.Source && k != plan.Exchange && k != plan.Meet {
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
