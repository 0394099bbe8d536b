// Package state is the replicated state of a master: which jobs there are, how they are planned, which attempt of each
// task won. A Machine is changed by commands alone, applied in one order by whoever owns it: an event loop in one
// process, or a Raft log in a cluster. It is pure: time and identity arrive in the commands, and there is no clock, no
// I/O, no goroutine and no randomness, so that every replica comes to the same state.
//
// The owner's loop is: apply a command; look at the job that comes back; pay its Duty (plan the next stages, decide the
// commit, publish the outputs), whose outcome is again a command. Running attempts are not part of the state: workers
// report them, and package schedule compares.
//
// A *Job is a snapshot: it and all that is reached from it never change once returned, so a reader keeps it without a
// lock and a persisted snapshot is a reference. A command copies what it changes: the Job, one Stage, and of the tasks
// the path to one of them in a tree of width 64, about two kilobytes however many tasks a stage has.
package state

import (
	"errors"
	"fmt"
	"slices"

	"fletch/fault"
)

// ErrNoJob means that no job has the command's identity.
var ErrNoJob = errors.New("no such job")

// Command is a change that is asked for: of a job (Submit, Plan, Commit, Fail, Publish, Published, Abort, Cancel), of a
// worker (Register, Lose), or of the audit log (Audit).
type Command interface{ isCommand() }

// jobCommand is a command that changes one job.
type jobCommand interface {
	Command
	jobID() string
	// apply returns the job that j becomes: j itself where nothing changes. j is nil where the job is unknown, which
	// only Submit sees.
	apply(j *Job) (*Job, error)
}

// Machine holds the jobs. It is not safe for concurrent use; the snapshots that it hands out are.
type Machine struct {
	jobs    map[string]*Job
	order   []string // all jobs, as they were submitted
	active  []string // of these, the jobs that have not ended
	bytes   int64    // the estimated size of the jobs that have ended
	workers map[string]Worker
	epoch   uint64 // the last one that was given to a worker
	audit   []AuditEntry
}

// New returns a machine without jobs.
func New() *Machine {
	return &Machine{jobs: make(map[string]*Job), workers: make(map[string]Worker)}
}

// Apply changes what the command names. Of a job it returns the new snapshot; for other commands that is nil. A command may be applied again, as its
// sender can't always know its fate: it changes nothing the second time and, as long as nothing else intervened, gives
// the same answer. An error has class fault.Fenced where the sender is behind, and fault.Permanent where the command can
// never be right; any but that of a malformed Commit leaves the job as it is.
func (m *Machine) Apply(c Command) (*Job, error) {
	switch c := c.(type) {
	case Register:
		return nil, m.register(c)
	case Lose:
		return nil, m.lose(c)
	case Audit:
		m.note(c)
		return nil, nil
	case jobCommand:
		return m.applyJob(c)
	}
	return nil, fault.As(fault.Permanent, fmt.Errorf("%T is no command", c))
}

func (m *Machine) applyJob(c jobCommand) (*Job, error) {
	if commit, ok := c.(Commit); ok {
		if err := m.fenceWorker(commit.Worker, commit.Epoch); err != nil {
			return m.jobs[c.jobID()], err
		}
	}
	before := m.jobs[c.jobID()]
	if _, submit := c.(Submit); before == nil && !submit {
		return nil, fault.As(fault.Fenced, fmt.Errorf("job %.*s: %w", maxJobID, c.jobID(), ErrNoJob))
	}
	after, err := c.apply(before)
	if err != nil && fault.ClassOf(err) != fault.Fenced {
		err = fault.As(fault.Permanent, err)
	}
	if after == nil {
		return nil, err
	}
	if err == nil && after != before {
		m.noteOf(c)
		if fail, ok := c.(Fail); ok && fail.Class == fault.FetchFailed {
			after = after.reopenLost(m.holds, fail.Message, fail.At)
		}
	}
	return m.replace(before, after), err
}

// replace makes after the snapshot of the job that was before, nil for a new one, and returns what is kept of it.
func (m *Machine) replace(before, after *Job) *Job {
	if before == nil {
		m.order = append(m.order, after.ID)
		m.active = append(m.active, after.ID)
	}
	if after.Status.Ended() && (before == nil || !before.Status.Ended()) {
		m.active = slices.DeleteFunc(m.active, func(id string) bool { return id == after.ID })
		after = after.compact()
		m.jobs[after.ID] = after
		m.remember(after)
		return after
	}
	m.jobs[after.ID] = after
	return after
}

// Job returns the job's current snapshot, nil where there is none.
func (m *Machine) Job(id string) *Job { return m.jobs[id] }

// Jobs returns all jobs, in the order of their submission.
func (m *Machine) Jobs() []*Job { return m.list(m.order) }

// Active returns the jobs that have not ended, in the order of their submission.
func (m *Machine) Active() []*Job { return m.list(m.active) }

func (m *Machine) list(ids []string) []*Job {
	jobs := make([]*Job, len(ids))
	for i, id := range ids {
		jobs[i] = m.jobs[id]
	}
	return jobs
}

// Plugins returns the SHA-256 of the plugins that jobs need which have not ended.
func (m *Machine) Plugins() map[string]bool {
	needed := map[string]bool{}
	for _, id := range m.active {
		needed[m.jobs[id].Plugin] = true
	}
	return needed
}
