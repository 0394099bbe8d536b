package state

import (
	"fmt"
	"slices"
	"time"

	"fletch/engine/plan"
	"fletch/fault"
)

// maxStageAttempts is how often a task's output may be lost, for whatever reason, before the job fails. Whole workers that
// are lost take no blame for a task, as failed reads do, but a cluster that loses them for ever must not run a job for ever.
const maxStageAttempts = 100

// reopenLost makes the tasks pending again whose output no worker holds any more and whose output is still needed. Later
// stages come first: once one of their tasks is pending, what it reads is needed, too. Parts of sinks are in storage,
// which outlives workers.
func (j *Job) reopenLost(holds func(worker string, epoch uint64) bool, why string, at time.Time) *Job {
	if j.open() != nil {
		return j
	}
	after := j
	for _, s := range slices.Backward(j.Stages) {
		if !after.needed(&s.Stage) {
			continue
		}
		for t := range after.Stages[s.ID].Tasks() {
			if !t.Committed || holds(t.Worker, t.Epoch) {
				continue
			}
			after = after.pendingAgain(t, t.Losses)
			if t.StageAttempt+1 >= maxStageAttempts {
				message := fmt.Sprintf("the output of stage %d, task %d was lost %d times, the last time: %s", t.Stage, t.Index, t.StageAttempt+1, why)
				return after.end(Failed, &Failure{Class: fault.Retryable, Worker: t.Worker, Message: message, At: at}, at)
			}
		}
	}
	return after
}

// needed tells whether a stage's blocks are still read, or will be.
func (j *Job) needed(s *plan.Stage) bool {
	return slices.ContainsFunc(s.Outputs, func(out int) bool {
		return j.Graph.Nodes[out].Kind != plan.Sink && !j.Stages[j.readers[out]].Complete()
	})
}

// pendingAgain takes a task's winner away, under the next stage attempt: an attempt that wrote the lost output, or raced
// with it, can't commit any more.
func (j *Job) pendingAgain(t *Task, losses int) *Job {
	stage := *j.Stages[t.Stage]
	stage.tasks = stage.tasks.set(t.Index, &Task{Task: t.Task, StageAttempt: t.StageAttempt + 1, Losses: losses})
	stage.Committed--
	stage.Failed++
	stage.Metrics.Sub(t.Metrics)
	stage.Finished = time.Time{}
	return j.with(&stage)
}
