package state

import (
	"fmt"
	"slices"
	"time"

	"fletch/engine/plan"
	"fletch/fault"
)

// A committed task runs again when its blocks are lost and still needed: when readers report that they can't read them
// (Fail with FetchFailed), or when the worker that holds them gets another epoch (Register, Lose). Invariant: of a job
// that has not ended, whatever a stage reads that is not complete is held. So a task that is pending again may need
// what was given up before, and the search goes from the latest stage to the first. Parts of sinks are in storage, which
// outlives workers: a stage that writes nothing else never runs again, nor does any once all are complete.

// maxStageAttempts is how often a task's blocks may be lost, for whatever reason, before the job fails. Lost workers are
// no fault of a task, but a cluster that loses them for ever must not run a job for ever.
const maxStageAttempts = 100

// reopen makes the tasks of the winners pending again whose blocks an attempt could not read.
func (j *Job) reopen(c *Fail, ws workers) *Job {
	why := Failure{Attempt: c.Attempt, Worker: c.Worker, Message: c.Message, At: c.At}
	after := j
	last := 0 // stages before it may have to run again as well
	for _, id := range c.Lost {
		t := after.task(id)
		if !t.Committed || t.Winner != id {
			continue // another reader has reported it
		}
		if after.Stages[id.Stage].Complete() {
			last = max(last, id.Stage)
		}
		if after = after.again(t, ws.standing(append(slices.Clone(t.Lost), t.Holder)), why); after.Status.Ended() {
			return after
		}
	}
	return after.reopenGone(ws, last-1, why)
}

// reopenGone makes the tasks pending again whose blocks nobody holds and which are still needed, in the stages up to last.
func (j *Job) reopenGone(ws workers, last int, why Failure) *Job {
	for i := last; i >= 0; i-- {
		if !j.needs(&j.Stages[i].Stage) {
			continue
		}
		for t := range j.Stages[i].Tasks() {
			if !t.Committed || ws.hold(t.Holder) {
				continue
			}
			if j = j.again(t, t.Lost, why); j.Status.Ended() {
				return j
			}
		}
	}
	return j
}

// needs tells whether the blocks that a stage wrote are to be read, or read again.
func (j *Job) needs(s *plan.Stage) bool {
	return slices.ContainsFunc(s.Outputs, func(out int) bool {
		return j.Graph.Nodes[out].Kind == plan.Exchange && !j.wasRead(&j.exchanges[j.exchange(out)])
	})
}

// wasRead tells whether all stages are complete that read an exchange.
func (j *Job) wasRead(x *exchange) bool {
	return !slices.ContainsFunc(x.readers, func(reader int) bool { return !j.Stages[reader].Complete() })
}

// again makes a committed task pending under the next stage attempt: an attempt that wrote what is lost, or raced with
// it, can't commit any more. The job fails at the bounds.
func (j *Job) again(t *Task, lost []Holder, why Failure) *Job {
	next := t.StageAttempt + 1
	stage := *j.Stages[t.Stage]
	stage.tasks = stage.tasks.set(t.Index, &Task{Task: t.Task, StageAttempt: next, Lost: lost})
	stage.Committed--
	stage.Failed++
	stage.Metrics.Sub(t.Metrics)
	stage.Finished = time.Time{}
	j = j.with(&stage)
	times := next
	if len(lost) >= j.Settings.MaxLost {
		times = len(lost)
	} else if next < maxStageAttempts {
		return j
	}
	why.Class = fault.FetchFailed
	why.Message = fmt.Sprintf("the output of stage %d, task %d was lost %d times, the last time: %s", t.Stage, t.Index, times, why.Message)
	return j.end(Failed, &why, why.At)
}

// standing returns the holders that are to blame for a loss, as they hold what else they wrote. Readers often notice
// first that a worker is lost.
func (ws workers) standing(lost []Holder) []Holder {
	return slices.DeleteFunc(lost, func(h Holder) bool { return !ws.hold(h) })
}
