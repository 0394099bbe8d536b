package state

import (
	"fmt"
	"slices"
	"time"

	"fletch/engine/plan"
	"fletch/fault"
)

// A committed task runs again when its blocks are lost and still needed: when readers report that they can't read them
// (Fail with FetchFailed), or when the worker that holds them gets another epoch (Register, Lose). Parts of sinks are in
// storage, which outlives workers; and once all stages are complete, no task runs again. Two invariants hold for a job that
// has not ended.
//
// What is read is held: whatever a stage reads that is not complete. So a task that is pending again may need what was given
// up before, and the search goes from the latest stage to the first.
//
// What was read stands: what a committed task has read of a stage whose output depends on order (plan.Stage.OrderDependent),
// itself or by what others made of it, is what that stage's winners wrote; and no attempt can commit that may have read
// something else. So when a task of such a stage runs again, all that read the stage, directly or not, begin anew with it:
// each of their tasks gets the next stage attempt, whether it is committed, runs or waits. It is not enough that those begin
// anew which read the stage itself: what they write, they make of other records now, or of the same in another partition,
// and a reader of theirs that kept what it had would have some twice and lack others.
//
// It follows that no record is lost or doubled and no range overlaps another one. A task of any other stage that runs again
// reads what it read before: of order-dependent stages the very blocks, by the above, and of others the same records in each
// block, in whichever order, by induction; and as it does not depend on that order, it writes the same records to each block
// again. So it makes no difference to its readers which of its attempts they have read.

// maxStageAttempts is how often a task may begin anew, for whatever reason, before the job fails. Lost workers are
// no fault of a task, but a cluster that loses them for ever must not run a job for ever.
const maxStageAttempts = 100

// loss is what one command takes from a job.
type loss struct {
	before  *Job
	job     *Job // what is left
	workers workers
	why     Failure
	anew    []bool // the stages all of whose tasks have begun anew
}

func newLoss(j *Job, ws workers, why Failure) *loss {
	return &loss{before: j, job: j, workers: ws, why: why, anew: make([]bool, len(j.Stages))}
}

// reopen makes the tasks of the winners pending again whose blocks an attempt could not read, with what follows.
func (j *Job) reopen(c *Fail, ws workers) *Job {
	l := newLoss(j, ws, Failure{Attempt: c.Attempt, Worker: c.Worker, Message: c.Message, At: c.At})
	last := 0
	for _, id := range c.Lost {
		t := l.job.task(id)
		if t == nil || !t.Committed || t.Winner != id {
			continue // the job has failed, or another reader has reported it
		}
		last = max(last, id.Stage)
		l.again(t, ws.standing(append(slices.Clone(t.Lost), t.Holder)))
	}
	l.follow(last)
	return l.job
}

// reopenGone makes the tasks pending again whose blocks nobody holds and which are still needed, with what follows.
func (j *Job) reopenGone(ws workers, why Failure) *Job {
	l := newLoss(j, ws, why)
	l.follow(len(j.Stages) - 1)
	return l.job
}

// follow restores the invariants, from a stage on to the first.
func (l *loss) follow(last int) {
	for i := last; i >= 0 && !l.job.Status.Ended(); i-- {
		l.reopenGone(i)
		if l.job.Stages[i].OrderDependent && l.job.Stages[i] != l.before.Stages[i] {
			// What begins anew may need what was given up before.
			i = max(i, l.beginReaders(i)+1)
		}
	}
}

// reopenGone makes those tasks of a stage pending again whose blocks nobody holds, if they are needed.
func (l *loss) reopenGone(stage int) {
	if !l.job.needs(&l.job.Stages[stage].Stage) {
		return
	}
	for t := range l.job.Stages[stage].Tasks() {
		if l.job.Status.Ended() {
			return
		}
		if t.Committed && !l.workers.hold(t.Holder) {
			l.again(t, t.Lost)
		}
	}
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
func (l *loss) again(t *Task, lost []Holder) {
	next := t.next()
	next.Lost = lost
	stage := *l.job.Stages[t.Stage]
	stage.tasks = stage.tasks.set(t.Index, next)
	stage.lose(t)
	l.job = l.job.with(&stage)
	times := next.StageAttempt
	if len(lost) >= l.job.Settings.MaxLost {
		times = len(lost)
	} else if times < maxStageAttempts {
		return
	}
	l.fail(fmt.Sprintf("the output of stage %d, task %d was lost %d times, the last time", t.Stage, t.Index, times))
}

// beginReaders lets all tasks begin anew that read a stage, directly or not, and have not done so yet. It returns the last
// of their stages, -1 where there are none.
func (l *loss) beginReaders(stage int) (last int) {
	last = -1
	for todo := l.job.readers(stage); len(todo) > 0 && !l.job.Status.Ended(); {
		reader := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !l.anew[reader] {
			l.anew[reader] = true
			l.begin(reader)
			last = max(last, reader)
			todo = append(todo, l.job.readers(reader)...)
		}
	}
	return last
}

// readers returns the stages that read what a stage writes.
func (j *Job) readers(stage int) (readers []int) {
	for _, out := range j.Stages[stage].Outputs {
		if j.Graph.Nodes[out].Kind == plan.Exchange {
			readers = append(readers, j.exchanges[j.exchange(out)].readers...)
		}
	}
	return readers
}

// begin lets the tasks of a stage begin anew, but for those that have been reopened.
func (l *loss) begin(id int) {
	was, before := l.job.Stages[id], l.before.Stages[id]
	if was.Len() == 0 {
		return
	}
	stage, most := *was, 0
	stage.tasks = newTree(was.Len(), func(i int) *Task {
		t := was.Task(i)
		if t.StageAttempt == before.Task(i).StageAttempt {
			if t.Committed {
				stage.lose(t)
			}
			t = t.next()
		}
		most = max(most, t.StageAttempt)
		return t
	})
	l.job = l.job.with(&stage)
	if most >= maxStageAttempts {
		l.fail(fmt.Sprintf("what stage %d reads was lost %d times, the last time", id, most))
	}
}

// fail ends the job.
func (l *loss) fail(what string) {
	why := l.why
	why.Class, why.Message = fault.FetchFailed, what+": "+why.Message
	l.job = l.job.end(Failed, &why, why.At)
}

// next returns the task under the next stage attempt. What its attempts failed of counts on if none has won.
func (t *Task) next() *Task {
	next := &Task{Task: t.Task, StageAttempt: t.StageAttempt + 1, Lost: t.Lost, Measured: t.Measured}
	if !t.Committed {
		next.Failures, next.RetryAt = t.Failures, t.RetryAt
	}
	return next
}

// lose takes back what a winner brought.
func (s *Stage) lose(t *Task) {
	s.Committed--
	s.Failed++
	s.Metrics.Sub(t.Metrics)
	s.Finished = time.Time{}
}

// standing returns the holders that are to blame for a loss, as they hold what else they wrote. Readers often notice
// first that a worker is lost.
func (ws workers) standing(lost []Holder) []Holder {
	return slices.DeleteFunc(lost, func(h Holder) bool { return !ws.hold(h) })
}
