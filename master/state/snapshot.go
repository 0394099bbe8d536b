package state

import (
	"fmt"
	"iter"
	"slices"

	"fletch/engine/plan"
)

// Snapshot is all that a Machine holds at a moment. Nothing in it changes while the machine goes on.
type Snapshot struct {
	// Jobs are those that have ended, in the order of their ends, then the others in the order of their submission.
	Jobs    []*Job
	Workers []Worker
	Epoch   uint64       // the latest that a worker has got
	Audit   []AuditEntry // the latest last
}

// Snapshot returns what the machine holds now. It takes a step for each job and worker.
func (m *Machine) Snapshot() Snapshot {
	return Snapshot{Jobs: slices.Concat(m.history.jobs, m.Active()), Workers: m.Workers(), Epoch: m.epoch, Audit: m.audit}
}

// Saved is a job taken apart for storing: what its methods derive is left out, and the rest lies in the open.
type Saved struct {
	Job    Job                  // its exported fields, but for Stages and Duty
	Splits map[int][]plan.Split // by node of a source
	Bytes  map[int][]int64      // what was written to each exchange, by partition; of a job that has ended, in all
	Stages []SavedStage
	// Of a job that has ended:
	Counters map[string]int64
	Outputs  []Output
}

// SavedStage is a stage of a Saved job.
type SavedStage struct {
	Stage Stage           // its exported fields
	Len   int             // number of tasks
	Tasks iter.Seq[*Task] // all of them in order; none of a job that has ended
}

// Save takes a job apart. What it returns must not be changed.
func (j *Job) Save() Saved {
	s := Saved{Job: *j, Splits: j.splits, Bytes: j.Facts().Bytes}
	s.Job.Stages, s.Job.Duty, s.Job.splits, s.Job.exchanges, s.Job.summary = nil, NoDuty, nil, nil, nil
	for _, stage := range j.Stages {
		bare := *stage
		bare.tasks = tree{}
		s.Stages = append(s.Stages, SavedStage{Stage: bare, Len: stage.Len(), Tasks: stage.Tasks()})
	}
	if j.summary != nil {
		s.Counters, s.Outputs = j.summary.counters, j.summary.outputs
	}
	return s
}

// Load puts a job together again. It keeps what s refers to.
func Load(s Saved) (*Job, error) {
	j := s.Job
	if j.Graph == nil {
		return nil, fmt.Errorf("job %s has no graph", j.ID)
	}
	j.splits = s.Splits
	for i, saved := range s.Stages {
		if saved.Stage.ID != i {
			return nil, fmt.Errorf("job %s: stage %d stands at %d", j.ID, saved.Stage.ID, i)
		}
		stage, err := j.load(saved)
		if err != nil {
			return nil, fmt.Errorf("job %s: stage %d %w", j.ID, i, err)
		}
		j.Stages = append(j.Stages, stage)
	}
	j.exchanges = exchangesOf(j.Graph, j.Stages)
	for i := range j.exchanges {
		x := &j.exchanges[i]
		x.bytes = s.Bytes[x.node]
	}
	if j.Status.Ended() {
		j.summary = &summary{counters: s.Counters, outputs: s.Outputs}
	}
	j.Duty = j.duty()
	return &j, nil
}

func (j *Job) load(s SavedStage) (*Stage, error) {
	stage := s.Stage
	for _, node := range append(slices.Concat(stage.Nodes, stage.Outputs, stage.Sides), stage.Root) {
		if node >= len(j.Graph.Nodes) {
			return nil, fmt.Errorf("has operator %d, the graph has %d", node, len(j.Graph.Nodes))
		}
	}
	if len(stage.OutputPartitions) != len(stage.Outputs) {
		return nil, fmt.Errorf("has %d outputs and %d numbers of partitions", len(stage.Outputs), len(stage.OutputPartitions))
	}
	if j.Status.Ended() {
		stage.tasks = tree{len: s.Len}
		return &stage, nil
	}
	tasks := slices.Collect(s.Tasks)
	if len(tasks) != s.Len {
		return nil, fmt.Errorf("has %d of %d tasks", len(tasks), s.Len)
	}
	if len(tasks) > 0 {
		splits := j.splits[stage.Root]
		stage.tasks = newTree(len(tasks), func(i int) *Task {
			if t := share(tasks[i].Task, splits); t != tasks[i].Task {
				shared := *tasks[i]
				shared.Task = t
				return &shared
			}
			return tasks[i]
		})
	}
	return &stage, nil
}

// Restore returns a machine that holds what the snapshot does.
func Restore(s Snapshot) (*Machine, error) {
	m := New()
	for _, j := range s.Jobs {
		if m.jobs[j.ID] != nil {
			return nil, fmt.Errorf("job %s stands twice in a snapshot", j.ID)
		}
		m.jobs[j.ID] = j
		if j.Status.Ended() {
			m.history.add(j) // it fitted before
		} else {
			m.active = append(m.active, j.ID)
		}
	}
	for _, w := range s.Workers {
		m.workers[w.ID] = w
	}
	m.epoch, m.audit = s.Epoch, s.Audit
	return m, nil
}
