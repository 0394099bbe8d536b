package state

import (
	"fmt"

	"fletch/fault"
)

// Fence returns why the attempt's outcome can't count any more, as an error of class fault.Fenced: the work is in vain. It
// is nil while the attempt may still win, and for the winner.
func (j *Job) Fence(id AttemptID) error {
	t := j.task(id)
	if t != nil && t.Committed && t.Winner == id {
		return nil
	}
	return j.fence(t, id)
}

// fence refuses an attempt whose outcome can't count any more. t is its task.
func (j *Job) fence(t *Task, id AttemptID) error {
	var why string
	switch {
	case j.Status.Ended():
		why = j.open().Error()
	case t == nil:
		why = "the job has no such task"
	case id.StageAttempt != t.StageAttempt:
		why = fmt.Sprintf("its stage attempt was replaced by %d", t.StageAttempt)
	case t.Committed:
		why = fmt.Sprintf("attempt %s has won the task", t.Winner)
	case t.failed(id) != nil:
		why = "it has failed: " + t.failed(id).Message
	case j.open() != nil:
		why = j.open().Error()
	default:
		return nil
	}
	return fault.As(fault.Fenced, fmt.Errorf("attempt %s is refused: %s", id, why))
}

// task returns the task that an attempt is a try at, nil where there is none or the job has ended.
func (j *Job) task(id AttemptID) *Task {
	if j.Status.Ended() || id.Stage < 0 || id.Stage >= len(j.Stages) || id.Task < 0 || id.Task >= j.Stages[id.Stage].Len() {
		return nil
	}
	return j.Stages[id.Stage].Task(id.Task)
}

// open refuses what would change the tasks of a job that has ended or whose commit is decided.
func (j *Job) open() error {
	switch {
	case j.Status.Ended():
		return fault.As(fault.Fenced, fmt.Errorf("job %s has ended: %s", j.ID, j.Status))
	case j.Decided:
		return fault.As(fault.Fenced, fmt.Errorf("the commit of job %s is decided", j.ID))
	}
	return nil
}
