// Package schedule decides which attempts run where. It is pure: jobs, workers and the time go in, orders come out; the
// caller sends them. A Board remembers what it was told and what it decided, so that a decision costs steps for what has
// changed and for what is started, not for all that there is. Decisions do not depend on the order in which workers and
// their attempts were told.
package schedule

import (
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
	Stops  []Stop  // each attempt once, unless its worker is put on the board again
	// Wake is when a task that waits after a failure may be tried again; decide again by then, or sooner if a job or a
	// worker changes. It is zero where no task waits for a free slot that there is.
	Wake time.Time
}

// Assign decides once, for workers that no Board knows.
func Assign(jobs []*state.Job, workers []Worker, turn Turn) Decision {
	b := NewBoard()
	for _, w := range workers {
		b.Put(w)
	}
	return b.Assign(jobs, turn)
}
