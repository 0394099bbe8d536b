package state

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"fletch/engine/plan"
	"fletch/fault"
)

// Status is where a job stands, in the order in which a job passes through; one of the last three ends it.
type Status uint8

// The statuses of a job.
const (
	Waiting   Status = iota // submitted, not planned
	Running                 // its tasks run, or its outputs are being published
	Succeeded               // every output is published
	Failed                  // see Job.Err
	Cancelled               // somebody asked for its end
)

var statuses = [...]string{"waiting", "running", "succeeded", "failed", "cancelled"}

// String returns the status as it stands in messages and in JSON.
func (s Status) String() string { return statuses[s] }

// MarshalText makes the status a word in JSON.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Ended tells whether the job is over: nothing changes it any more.
func (s Status) Ended() bool { return s >= Succeeded }

// Duty is what the machine's owner owes a job now, besides running the attempts of its pending tasks. It follows from
// the state, so a new leader finds it there.
type Duty uint8

// The duties.
const (
	// NoDuty leaves nothing to do: attempts have to finish first, or the job has ended.
	NoDuty Duty = iota
	// DutyPlan asks for plan.Next with Job.Facts, and for Plan with its tasks (or Abort with its error).
	DutyPlan
	// DutyCommit asks for Publish: every task is committed.
	DutyCommit
	// DutyPublish asks to publish Job.Parts, which may have been done in part before, and for Published (or Abort).
	DutyPublish
)

// Settings are a job's own limits; zero means the default.
type Settings struct {
	// Partitions is the number of partitions where an operator names none; zero follows the input's size.
	Partitions int `json:"partitions,omitempty"`
	// MaxRetryable is how many failures of class fault.Retryable of one task fail the job. The default is 3.
	MaxRetryable int `json:"max_retryable,omitempty"`
	// MaxUser is the same for fault.User. The default is 3; 1 serves where all attempts run in one process.
	MaxUser int `json:"max_user,omitempty"`
	// MaxLost is how many losses of one task's committed output fail the job. Those of lost workers do not count. The
	// default is 3.
	MaxLost int `json:"max_lost,omitempty"`
	// MaxLineBytes is the length of the longest line of text that the job accepts; zero leaves it to the workers.
	MaxLineBytes int64 `json:"max_line_bytes,omitempty"`
}

// maxFailures bounds the limits, and so what a task remembers of its failures.
const maxFailures = 100

func (s Settings) withDefaults() (Settings, error) {
	for _, limit := range []*int{&s.MaxRetryable, &s.MaxUser, &s.MaxLost} {
		if *limit < 0 || *limit > maxFailures {
			return s, fmt.Errorf("a limit of %d failures: it takes 1 to %d, or 0 for the default", *limit, maxFailures)
		}
		if *limit == 0 {
			*limit = 3
		}
	}
	return s, nil
}

// Job is a snapshot of one job: immutable, with everything that is reached from it.
type Job struct {
	ID       string
	Graph    *plan.Graph
	Settings Settings // with the defaults filled in
	Plugin   string   // SHA-256 of its code; empty in one process
	Args     []string
	User     string // who submitted it
	Status   Status
	// Decided says that the job's commit is decided: its outputs are being published or were. Invariant: every task is
	// committed, and no task changes any more.
	Decided bool
	// Failure is why the job failed or was cancelled; nil otherwise.
	Failure *Failure
	// Stages are in topological order; Stages[i].ID == i.
	Stages []*Stage
	Duty   Duty // invariant: duty() of this snapshot

	Submitted time.Time
	Started   time.Time // zero while it waits
	Finished  time.Time // zero until it has ended

	splits    map[int][]plan.Split // as submitted; nil once the job has ended, if they are many
	exchanges []exchange           // those that a stage writes, in the order of nodes
	summary   *summary             // set once the job has ended: its tasks are gone
}

// Name returns the name that the job's author gave it.
func (j *Job) Name() string { return j.Graph.Job }

// Err returns why the job failed or was cancelled, with its class; nil otherwise.
func (j *Job) Err() error {
	if j.Failure == nil {
		return nil
	}
	return fault.As(j.Failure.Class, errors.New(j.Failure.Message))
}

// Facts returns what plan.Next needs.
func (j *Job) Facts() plan.Facts {
	f := plan.Facts{
		Splits:     j.splits,
		Partitions: j.Settings.Partitions,
		Tasks:      make([]int, len(j.Stages)),
		Complete:   make([]bool, len(j.Stages)),
		Bytes:      make(map[int][]int64),
	}
	for i, s := range j.Stages {
		f.Tasks[i], f.Complete[i] = s.Len(), s.Complete()
	}
	for _, x := range j.exchanges {
		if len(x.bytes) > 0 {
			f.Bytes[x.node] = x.bytes
		}
	}
	return f
}

// Plan returns the stages as they were planned.
func (j *Job) Plan() []plan.Stage {
	stages := make([]plan.Stage, len(j.Stages))
	for i, s := range j.Stages {
		stages[i] = s.Stage
	}
	return stages
}

// Runnable tells whether attempts of the stage's pending tasks can run: all that it reads is committed.
func (j *Job) Runnable(stage int) bool {
	for _, parent := range j.Stages[stage].Parents {
		if !j.Stages[parent].Complete() {
			return false
		}
	}
	return true
}

// Producer is an attempt whose output is read, with the worker that holds it.
type Producer struct {
	Attempt AttemptID
	Worker  string // empty in one process
}

// Producers returns by exchange what the stage reads, in the order of the blocks: by stage and task. The stage is runnable.
// It costs a step for each of them.
func (j *Job) Producers(stage int) map[int][]Producer {
	s := j.Stages[stage]
	all := make(map[int][]Producer)
	for _, x := range s.Reads(j.Graph) {
		for _, parent := range s.Parents {
			if !slices.Contains(j.Stages[parent].Outputs, x) {
				continue
			}
			for t := range j.Stages[parent].Tasks() {
				all[x] = append(all[x], Producer{t.Winner, t.Holder.Worker})
			}
		}
	}
	return all
}

// Parts returns the parts of every sink of a job whose tasks are all committed and that has not ended, in the order of
// their numbers: by stage, task and partition. A sink has at least one.
func (j *Job) Parts() map[int][]plan.Part {
	parts := make(map[int][]plan.Part)
	for _, s := range j.Stages {
		for t := range s.Tasks() {
			for _, p := range t.Parts {
				parts[p.Sink] = append(parts[p.Sink], p)
			}
		}
	}
	return parts
}

// Counters returns the sums of the user's counters over the committed attempts; of a job that has ended, if it has
// succeeded. It costs a step for each task.
func (j *Job) Counters() map[string]int64 {
	if j.summary != nil {
		return j.summary.counters
	}
	sums := make(map[string]int64)
	for _, s := range j.Stages {
		for t := range s.Tasks() {
			for name, n := range t.Counters {
				sums[name] += n
			}
		}
	}
	return sums
}

// Metrics returns the sums over the committed attempts.
func (j *Job) Metrics() plan.Metrics {
	var sum plan.Metrics
	for _, s := range j.Stages {
		sum.Add(s.Metrics)
	}
	return sum
}

// with returns the job with another snapshot of one of its stages.
func (j *Job) with(s *Stage) *Job {
	was := j.Stages[s.ID]
	after := *j
	after.Stages = slices.Clone(j.Stages)
	after.Stages[s.ID] = s
	if s.Len() != was.Len() || s.Complete() != was.Complete() {
		after.Duty = after.duty()
	}
	return &after
}

// duty derives Job.Duty.
func (j *Job) duty() Duty {
	switch {
	case j.Status.Ended():
		return NoDuty
	case j.Decided:
		return DutyPublish
	}
	complete := 0
	for i, s := range j.Stages {
		switch {
		case s.Complete():
			complete++
		case s.Len() == 0 && j.Runnable(i):
			return DutyPlan
		}
	}
	if complete == len(j.Stages) {
		return DutyCommit
	}
	return NoDuty
}

// end returns the job ended.
func (j *Job) end(status Status, why *Failure, at time.Time) *Job {
	after := *j
	after.Status, after.Failure, after.Finished, after.Duty = status, why, at, NoDuty
	return &after
}
