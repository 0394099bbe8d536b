package state

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"fletch/engine/plan"
)

// Snapshot is all that a Machine holds at a moment. Nothing in it changes while the machine goes on.
type Snapshot struct {
	Jobs    []*Job // in the order of their submission
	Workers []Worker
	Epoch   uint64 // the last one that was given to a worker
	Audit   []AuditEntry
}

// Snapshot returns what the machine holds now. It takes a step for each job and worker.
func (m *Machine) Snapshot() Snapshot {
	return Snapshot{Jobs: m.Jobs(), Workers: m.Workers(), Epoch: m.epoch, Audit: m.audit}
}

// Saved is a job taken apart for storing: with what its methods derive left out, and the rest in the open.
type Saved struct {
	// Job has the exported fields alone, but for Stages and Duty.
	Job    Job
	Splits map[int][]plan.Split // of a job that has not ended
	Stages []SavedStage
	// Of a job that has ended:
	Counters   map[string]int64
	Outputs    []Output
	InputBytes map[int]int64
}

// SavedStage is a stage of a Saved job.
type SavedStage struct {
	// Stage has the exported fields alone.
	Stage Stage
	Len   int             // number of tasks
	Tasks iter.Seq[*Task] // all of them; none of a job that has ended
	Bytes []int64         // by partition of the root's exchange: what its writers wrote
}

// Save takes a job apart. What it returns must not be changed.
func (j *Job) Save() Saved {
	s := Saved{Job: *j, Splits: j.splits}
	s.Job.Stages, s.Job.Duty, s.Job.splits, s.Job.readers, s.Job.summary = nil, NoDuty, nil, nil, nil
	for _, stage := range j.Stages {
		bare := *stage
		bare.tasks, bare.bytes = tree{}, nil
		s.Stages = append(s.Stages, SavedStage{Stage: bare, Len: stage.Len(), Tasks: stage.Tasks(), Bytes: stage.bytes})
	}
	if j.summary != nil {
		s.Counters, s.Outputs, s.InputBytes = j.summary.counters, j.summary.outputs, j.summary.inputBytes
	}
	return s
}

// Load puts a job together again.
func Load(s Saved) (*Job, error) {
	j := s.Job
	var stages []plan.Stage
	for i, saved := range s.Stages {
		stage := saved.Stage
		if stage.ID != i {
			return nil, fmt.Errorf("job %s: stage %d stands at %d", j.ID, stage.ID, i)
		}
		tasks := slices.Collect(saved.Tasks)
		switch {
		case j.Status.Ended():
			stage.tasks = tree{len: saved.Len}
		case len(tasks) != saved.Len:
			return nil, fmt.Errorf("job %s: stage %d has %d of %d tasks", j.ID, i, len(tasks), saved.Len)
		case len(tasks) > 0:
			stage.tasks = newTree(len(tasks), func(i int) *Task { return tasks[i] })
		}
		stage.bytes = saved.Bytes
		j.Stages = append(j.Stages, &stage)
		stages = append(stages, stage.Stage)
	}
	j.splits, j.readers = s.Splits, readersOf(stages)
	if j.Status.Ended() {
		j.summary = &summary{counters: s.Counters, outputs: s.Outputs, inputBytes: s.InputBytes}
	}
	j.Duty = j.duty()
	return &j, nil
}

// Restore returns a machine that holds what the snapshot does.
func Restore(s Snapshot) (*Machine, error) {
	m := New()
	for _, j := range s.Jobs {
		if m.jobs[j.ID] != nil {
			return nil, errors.New("job " + j.ID + " stands twice in a snapshot")
		}
		m.jobs[j.ID] = j
		m.order = append(m.order, j.ID)
		if j.Status.Ended() {
			m.bytes += j.weight()
		} else {
			m.active = append(m.active, j.ID)
		}
	}
	for _, w := range s.Workers {
		m.workers[w.ID] = w
	}
	m.epoch, m.audit = s.Epoch, slices.Clone(s.Audit)
	return m, nil
}
