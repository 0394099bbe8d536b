// Package schedule decides which attempts run where. It is pure: jobs, workers and the time go in, orders come out; the
// caller sends them. Decisions do not depend on the order of the workers or of their attempts.
package schedule

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"fletch/engine/plan"
	"fletch/master/state"
)

// Worker is what a worker has reported of itself.
type Worker struct {
	ID      string
	Slots   int               // attempts that it may run at once
	Running []state.AttemptID // ordered from it and not known to have ended; each fills a slot
}

// Turn is the moment of a decision.
type Turn struct {
	Now  time.Time
	Term uint64 // of the master that decides
	Next uint64 // the number of the next attempt: larger than any that was given in this term
}

// Start orders an attempt.
type Start struct {
	Worker  string
	Attempt state.AttemptID
	Task    plan.Task
}

// Stop orders the end of an attempt whose outcome can't count any more.
type Stop struct {
	Worker  string
	Attempt state.AttemptID
	Cause   error // of class fault.Fenced
}

// Decision is what has to happen now.
type Decision struct {
	Starts []Start // numbered from Turn.Next
	Stops  []Stop  // repeated in each decision for as long as a worker reports the attempt
	// Wake is when a task that waits after a failure may be tried again; decide again by then, or sooner if a job or a
	// worker changes. It is zero where no task waits.
	Wake time.Time
}

// Assign gives free slots to pending tasks: the job with the fewest running attempts is served first, an earlier one
// before a later; within a job a later stage before an earlier one, as it frees what that one wrote; within a stage the
// lowest index. A task that runs anywhere is not started again. The jobs are those that have not ended, in the order of
// their submission.
func Assign(jobs []*state.Job, workers []Worker, turn Turn) Decision {
	var d Decision
	queues := newQueues(jobs)
	free := d.survey(workers, queues)
	for free.Len() > 0 && queues.Len() > 0 {
		q := queues.order[0]
		t := q.next(&d, turn.Now)
		if t == nil {
			heap.Pop(queues)
			continue
		}
		w := &(*free)[0]
		d.Starts = append(d.Starts, Start{Worker: w.id, Task: t.Task, Attempt: state.AttemptID{
			Job: q.job.ID, Stage: t.Stage, StageAttempt: t.StageAttempt, Task: t.Index,
			Term: turn.Term, Number: turn.Next + uint64(len(d.Starts)),
		}})
		q.running++
		heap.Fix(queues, 0)
		if w.free--; w.free > 0 {
			heap.Fix(free, 0)
		} else {
			heap.Pop(free)
		}
	}
	return d
}

// survey notes what runs, stops what runs in vain, and returns the workers with free slots.
func (d *Decision) survey(workers []Worker, queues *queues) *freeWorkers {
	free := &freeWorkers{}
	for _, w := range workers {
		if n := w.Slots - len(w.Running); n > 0 {
			*free = append(*free, freeWorker{w.ID, n})
		}
		for _, id := range w.Running {
			if err := queues.note(id); err != nil {
				d.Stops = append(d.Stops, Stop{Worker: w.ID, Attempt: id, Cause: err})
			}
		}
	}
	slices.SortFunc(d.Stops, func(a, b Stop) int {
		return cmp.Or(cmp.Compare(a.Worker, b.Worker), a.Attempt.Compare(b.Attempt))
	})
	heap.Init(free)
	heap.Init(queues)
	return free
}
