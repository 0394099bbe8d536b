package state

import (
	"fmt"
	"slices"
	"time"

	"fletch/engine/plan"
	"fletch/fault"
)

// Plan adds the tasks that plan.Next returned for the job's facts, and skips the stages that it said.
type Plan struct {
	Job   string
	Tasks []plan.Task // whole stages, in the order of stages and indices; kept, so they must not change any more
	Skip  []int
	At    time.Time
}

func (c Plan) apply(m *Machine) (Outcome, error) { return m.change(c.Job, c.change) }

func (c Plan) change(j *Job) (*Job, error) {
	if err := j.open(); err != nil {
		return j, err
	}
	after := j
	for _, id := range c.Skip {
		s, err := after.checkSkip(id)
		if err != nil {
			return j, err
		}
		if !s.Skipped {
			skipped := *s
			skipped.Skipped = true
			after = after.with(&skipped)
		}
	}
	for lo, hi := 0, 0; lo < len(c.Tasks); lo = hi {
		for hi < len(c.Tasks) && c.Tasks[hi].Stage == c.Tasks[lo].Stage {
			hi++
		}
		tasks := c.Tasks[lo:hi]
		s, err := after.checkPlan(tasks)
		if err != nil {
			return j, err
		}
		if s.Len() == 0 {
			after = after.addTasks(s, tasks, c.At)
		}
	}
	return after, nil
}

// checkSkip returns a stage if it can be skipped, or is.
func (j *Job) checkSkip(id int) (*Stage, error) {
	if id < 0 || id >= len(j.Stages) {
		return nil, fmt.Errorf("plan of job %s: it has no stage %d", j.ID, id)
	}
	s := j.Stages[id]
	switch {
	case s.Len() > 0:
		return nil, fault.As(fault.Fenced, fmt.Errorf("stage %d is planned already, with tasks", id))
	case len(s.If) == 0:
		return nil, fmt.Errorf("plan of job %s: no other stage does what stage %d does, so it can't be skipped", j.ID, id)
	case !j.Runnable(id):
		return nil, fmt.Errorf("plan of job %s: whether stage %d is needed can't be known yet", j.ID, id)
	}
	return s, nil
}

// checkPlan returns the stage of tasks if it can be planned with them, or was: they hold each of its partitions once.
func (j *Job) checkPlan(tasks []plan.Task) (*Stage, error) {
	id := tasks[0].Stage
	if id < 0 || id >= len(j.Stages) {
		return nil, fmt.Errorf("plan of job %s: it has no stage %d", j.ID, id)
	}
	s := j.Stages[id]
	if s.Skipped {
		return nil, fault.As(fault.Fenced, fmt.Errorf("stage %d is skipped", id))
	}
	if s.Len() > 0 {
		return s, s.samePlan(tasks)
	}
	if !j.Runnable(id) {
		return nil, fmt.Errorf("plan of job %s: what stage %d reads is not complete", j.ID, id)
	}
	return s, s.checkTasks(j, tasks)
}

// checkTasks checks the tasks of a stage: whether they have what it reads, in order and once. A thin stage may leave out
// partitions.
func (s *Stage) checkTasks(j *Job, tasks []plan.Task) error {
	source := j.Graph.Nodes[s.Root].Kind == plan.Source
	next := 0 // partition
	for i, t := range tasks {
		switch {
		case t.Index != i:
			return fmt.Errorf("plan of job %s: stage %d has task %d at %d", j.ID, s.ID, t.Index, i)
		case source != (t.Split != nil):
			return fmt.Errorf("plan of job %s: stage %d, task %d: a source's task, and only that, has a split", j.ID, s.ID, i)
		case !source && (t.Lo < next || t.Lo > next && !s.Thin || t.Hi <= t.Lo):
			return fmt.Errorf("plan of job %s: stage %d, task %d reads partitions [%d, %d) after %d", j.ID, s.ID, i, t.Lo, t.Hi, next)
		}
		next = t.Hi
	}
	if next > s.Partitions || next < s.Partitions && !s.Thin {
		return fmt.Errorf("plan of job %s: stage %d reads %d of %d partitions", j.ID, s.ID, next, s.Partitions)
	}
	return nil
}

// samePlan accepts the tasks that the stage has.
func (s *Stage) samePlan(tasks []plan.Task) error {
	same := len(tasks) == s.Len()
	for i := 0; same && i < len(tasks); i++ {
		have, want := tasks[i], s.Task(i).Task
		same = sameSplit(have.Split, want.Split)
		have.Split = want.Split
		same = same && have == want
	}
	if !same {
		return fault.As(fault.Fenced, fmt.Errorf("stage %d is planned already, with other tasks", s.ID))
	}
	return nil
}

// share lets a source's task refer to the job's own split where they are equal: a decoded command has a copy of each.
func share(t plan.Task, splits []plan.Split) plan.Task {
	if t.Split != nil && t.Index < len(splits) && sameSplit(t.Split, &splits[t.Index]) {
		t.Split = &splits[t.Index]
	}
	return t
}

// sameSplit compares two splits that may be missing.
func sameSplit(a, b *plan.Split) bool {
	if a == nil || b == nil || a == b {
		return a == b
	}
	return a.First == b.First && a.Count == b.Count && a.Bytes == b.Bytes && slices.Equal(a.Files, b.Files)
}

// addTasks adds the tasks of one stage.
func (j *Job) addTasks(s *Stage, tasks []plan.Task, at time.Time) *Job {
	planned := *s
	planned.Started, planned.Skew = at, plan.Skewed(j.Graph, &s.Stage, j.Facts())
	splits := j.splits[s.Root]
	planned.tasks = newTree(len(tasks), func(i int) *Task { return &Task{Task: share(tasks[i], splits)} })
	after := j.with(&planned)
	if after.Status == Waiting {
		after.Status, after.Started = Running, at
	}
	return after
}
