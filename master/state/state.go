// Package state is the replicated state of a master: which jobs there are, how they are planned, which attempt of each
// task won, and which workers hold what the winners wrote. A Machine is changed by commands alone, applied in one order
// by whoever owns it: an event loop in one process, or a Raft log in a cluster. It is pure: time and identity arrive in
// the commands, and there is no clock, no I/O, no goroutine and no randomness, so that every replica comes to the same
// state.
//
// The owner's loop is: apply a command; look at the job that comes back; pay its Duty (plan the next stages, decide the
// commit, publish the outputs), whose outcome is again a command. Running attempts are not part of the state: workers
// report them, and package schedule compares.
//
// A *Job is a snapshot: it and all that is reached from it never change once returned, so a reader keeps it without a
// lock and a persisted snapshot is a reference. A command copies what it changes: the Job, one Stage, and of the tasks
// the path to one of them in a tree of width 64, about two kilobytes however many tasks a stage has.
//
// A job that has ended is kept for people, without its tasks; the latest of them are, and the latest entries of the audit
// log. So what a Machine holds is bounded by the jobs that run.
package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"fletch/fault"
)

// ErrNoJob means that no job has the command's identity.
var ErrNoJob = errors.New("no such job")

// Command is a change that is asked for: of a job (Submit, Plan, Commit, Fail, Publish, Published, Abort, Cancel), of a
// worker (Register, Lose), or of the audit log (Audit).
type Command interface {
	// apply changes the machine. An error leaves it as it is, but for that of a malformed Commit.
	apply(m *Machine) (Outcome, error)
}

// Outcome is what a command names, as it is after the command.
type Outcome struct {
	Job    *Job   // nil where the command names none, or one that is not known
	Worker Worker // of Register and Lose; zero where it is not known
}

// Machine holds the jobs. It is not safe for concurrent use; the snapshots that it hands out are.
type Machine struct {
	jobs    map[string]*Job
	active  []string // the jobs that have not ended, as they were submitted
	history history  // the others
	workers workers
	epoch   uint64 // the latest that a worker has got
	audit   []AuditEntry
}

// New returns a machine without jobs.
func New() *Machine {
	return &Machine{jobs: make(map[string]*Job), workers: make(workers)}
}

// Apply changes what the command names. A command may be applied again, as its sender can't always know its fate: it
// changes nothing the second time and, as long as nothing else intervened, gives the same answer. An error has class
// fault.Fenced where the sender is behind, and fault.Permanent where the command can never be right.
func (m *Machine) Apply(c Command) (Outcome, error) {
	o, err := c.apply(m)
	if err != nil && fault.ClassOf(err) != fault.Fenced {
		err = fault.As(fault.Permanent, err)
	}
	return o, err
}

// change replaces a job by what f makes of it, which is the job itself where nothing changes.
func (m *Machine) change(id string, f func(*Job) (*Job, error)) (Outcome, error) {
	before := m.jobs[id]
	if before == nil {
		return Outcome{}, fault.As(fault.Fenced, fmt.Errorf("job %.*s: %w", maxJobID, id, ErrNoJob))
	}
	after, err := f(before)
	return Outcome{Job: m.replace(before, after)}, err
}

// replace makes after the current snapshot of the job that was before, and returns what is kept of it.
func (m *Machine) replace(before, after *Job) *Job {
	if after.Status.Ended() && !before.Status.Ended() {
		m.active = slices.DeleteFunc(m.active, func(id string) bool { return id == after.ID })
		after = after.compact()
		for _, j := range m.history.add(after) {
			delete(m.jobs, j.ID)
		}
	}
	m.jobs[after.ID] = after
	return after
}

// Job returns the job's current snapshot, nil where there is none.
func (m *Machine) Job(id string) *Job { return m.jobs[id] }

// Active returns the jobs that have not ended, in the order of their submission.
func (m *Machine) Active() []*Job {
	jobs := make([]*Job, len(m.active))
	for i, id := range m.active {
		jobs[i] = m.jobs[id]
	}
	return jobs
}

// Jobs returns all jobs by the time of their submission.
func (m *Machine) Jobs() []*Job {
	jobs := make([]*Job, 0, len(m.jobs))
	for _, j := range m.jobs {
		jobs = append(jobs, j)
	}
	slices.SortFunc(jobs, func(a, b *Job) int { return cmp.Or(a.Submitted.Compare(b.Submitted), cmp.Compare(a.ID, b.ID)) })
	return jobs
}

// Plugins returns the SHA-256 of each plugin that a job needs which has not ended.
func (m *Machine) Plugins() map[string]bool {
	needed := make(map[string]bool)
	for _, id := range m.active {
		needed[m.jobs[id].Plugin] = true
	}
	return needed
}
