package state

import (
	"iter"
	"slices"
	"time"

	"fletch/engine/plan"
	"fletch/fault"
)

// Stage is a snapshot of one stage of a job.
type Stage struct {
	plan.Stage
	// Committed is the number of tasks with a winner. Invariant: at most Len.
	Committed int
	// Failed is the number of attempts that failed, except to fetch, or whose output was lost; for the summary.
	Failed int
	// InputBytes is the size of the files' ranges that the stage's source reads; zero for other roots.
	InputBytes int64
	// Skew is the partition among those that the stage reads that is much larger than the others; nil where none is.
	Skew *plan.Skew
	// Metrics sums those of the winners.
	Metrics plan.Metrics
	// Skipped says that the stage is not needed, as another one does its work. It has no tasks, and counts as complete.
	Skipped  bool
	Started  time.Time // when it was planned; zero before
	Finished time.Time // when its last task was committed; zero while it is not complete

	tasks tree // without its nodes once the job has ended
}

// Len returns the number of tasks, zero while the stage is not planned and if it is skipped.
func (s *Stage) Len() int { return s.tasks.len }

// Complete tells whether every task is committed, or none is needed. A loss of output makes a complete stage incomplete again.
func (s *Stage) Complete() bool { return s.Skipped || s.tasks.len > 0 && s.Committed == s.tasks.len }

// Task returns a task by its index. The job has not ended.
func (s *Stage) Task(i int) *Task { return s.tasks.at(i) }

// Tasks yields all tasks by index; of a job that has ended it yields none.
func (s *Stage) Tasks() iter.Seq[*Task] {
	return func(yield func(*Task) bool) {
		for i := 0; s.tasks.root != nil && i < s.tasks.len; i++ {
			if !yield(s.tasks.at(i)) {
				return
			}
		}
	}
}

// Changed yields the tasks that are not what they were in an earlier snapshot of the stage; all of them if it was not
// planned then. It skips what the snapshots share, so that its cost follows the number of changes.
func (s *Stage) Changed(since *Stage) iter.Seq[*Task] {
	return func(yield func(*Task) bool) {
		if s.tasks.root != nil {
			s.tasks.root.changed(since.tasks.root, yield)
		}
	}
}

// NextPending returns the first pending task at or after an index, nil where there is none. It skips committed tasks
// without looking at each.
func (s *Stage) NextPending(from int) *Task { return s.tasks.pending(from) }

// Task is a snapshot of one task. It is pending or committed; that it runs is known to workers alone.
type Task struct {
	plan.Task
	// StageAttempt is the stage attempt that its attempts must belong to. It grows with each loss of the task's output, and of
	// what it reads where that can't be made again as it was.
	StageAttempt int
	// Lost is who held what readers could not read, without those that were lost themselves by the time of the next such
	// loss. See Settings.MaxLost.
	Lost      []Holder
	Committed bool
	Measured  bool // the sizes of what it writes are known: it has been committed at some time
	// Winner is the attempt whose output counts. Invariant: set exactly if Committed; Winner.StageAttempt == StageAttempt;
	// it is not among Failures.
	Winner AttemptID
	// Holder has the winner's blocks.
	Holder Holder
	// Parts are the winner's, by sink and partition. Invariant: a part for each sink of the stage and each partition of
	// the task.
	Parts    []plan.Part
	Counters map[string]int64 // the winner's
	Metrics  plan.Metrics     // the winner's
	// Failures are those of attempts since the task was planned or last lost a winner, oldest first, without those that only
	// failed to fetch.
	Failures []Failure
	// RetryAt is the earliest time of the next attempt after a failure.
	RetryAt time.Time
}

// Failure says why an attempt failed, or a job.
type Failure struct {
	Attempt AttemptID // zero where no attempt is to blame
	Worker  string    // where it ran; empty in one process
	Class   fault.Class
	Message string
	At      time.Time
}

// failed returns the failure of an attempt, nil where it has not failed.
func (t *Task) failed(id AttemptID) *Failure {
	i := slices.IndexFunc(t.Failures, func(f Failure) bool { return f.Attempt == id })
	if i < 0 {
		return nil
	}
	return &t.Failures[i]
}

// countOf returns how many failures have the class.
func (t *Task) countOf(class fault.Class) int {
	n := 0
	for _, f := range t.Failures {
		if f.Class == class {
			n++
		}
	}
	return n
}
