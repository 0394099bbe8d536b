package state

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"fletch/fault"
)

// The caps of a failure's text in bytes: it is replicated, and a panic's stack can be long. Once maxLong attempts of a
// stage have failed, the next ones are remembered by their first line or so.
const (
	maxMessage      = 8 << 10
	maxShortMessage = 256
	maxLong         = 1000
)

// The pause before a failed task is tried again grows from the first to the longest by doubling.
const (
	firstPause = 100 * time.Millisecond
	// LongestPause is the most by which Task.RetryAt lies behind the failure.
	LongestPause = 10 * time.Second
)

// Fail reports an attempt that has failed. A User or Retryable failure counts against the task, and the job fails at
// its limit; Cancelled and Fenced, which nobody asked for if the attempt is current, count as Retryable, so that no
// attempt can fail for ever. Permanent fails the job at once. FetchFailed does not count against the reader.
type Fail struct {
	Attempt AttemptID
	Worker  string // where it ran; empty in one process
	Class   fault.Class
	Message string
	// Lost are the committed attempts whose output could not be read, for FetchFailed: their tasks are pending again.
	Lost []AttemptID
	At   time.Time
}

func (c Fail) apply(m *Machine) (Outcome, error) {
	return m.change(c.Attempt.Job, func(j *Job) (*Job, error) { return c.change(j, m.workers) })
}

func (c Fail) change(j *Job, ws workers) (*Job, error) {
	t := j.task(c.Attempt)
	if t != nil && t.failed(c.Attempt) != nil || j.Failure != nil && j.Failure.Attempt == c.Attempt {
		return j, nil
	}
	if c.Class == fault.FetchFailed && t != nil && c.Attempt.StageAttempt < t.StageAttempt && j.replaced(c.Lost) && j.open() == nil {
		return j, nil // it is known, perhaps from this very report, which has let the reader begin anew as well
	}
	if err := j.fence(t, c.Attempt); err != nil {
		return j, err
	}
	c.Message = cut(c.Message, maxMessage)
	if c.Class == fault.FetchFailed && j.blames(c.Lost, c.Attempt.Stage) {
		return j.reopen(&c, ws), nil
	}
	return j.blame(t, &c), nil
}

// cut shortens a text to so many bytes, and says so.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + " ..."
}

// blames tells whether lost names outputs that the stage reads, or did before they were replaced. Otherwise the reader is
// wrong, and counts as failed.
func (j *Job) blames(lost []AttemptID, stage int) bool {
	for _, id := range lost {
		t := j.task(id)
		if id.Job != j.ID || t == nil || !slices.Contains(j.Stages[stage].Parents, id.Stage) {
			return false
		}
		if id.StageAttempt >= t.StageAttempt && (!t.Committed || t.Winner != id) {
			return false
		}
	}
	return len(lost) > 0
}

// replaced tells whether other attempts are to take the place of all that are lost.
func (j *Job) replaced(lost []AttemptID) bool {
	return len(lost) > 0 && !slices.ContainsFunc(lost, func(id AttemptID) bool {
		t := j.task(id)
		return id.Job != j.ID || t == nil || id.StageAttempt >= t.StageAttempt
	})
}

// blame counts a failure against its task and fails the job at the limit.
func (j *Job) blame(t *Task, c *Fail) *Job {
	limit := 1
	switch c.Class {
	case fault.User:
		limit = j.Settings.MaxUser
	case fault.Permanent:
	default:
		c.Class, limit = fault.Retryable, j.Settings.MaxRetryable
	}
	why := Failure{Attempt: c.Attempt, Worker: c.Worker, Class: c.Class, Message: c.Message, At: c.At}
	stage := *j.Stages[t.Stage]
	if stage.Failed >= maxLong {
		why.Message = cut(why.Message, maxShortMessage)
	}
	stage.Failed++
	failed := *t
	failed.Failures = append(slices.Clip(t.Failures), why)
	failed.RetryAt = c.At.Add(pause(len(failed.Failures)))
	stage.tasks = stage.tasks.set(t.Index, &failed)
	j = j.with(&stage)
	if n := failed.countOf(c.Class); n >= limit {
		times := ""
		if n > 1 {
			times = fmt.Sprintf(" failed %d times, the last time", n)
		}
		why.Message = fmt.Sprintf("stage %d, task %d%s: %s", t.Stage, t.Index, times, c.Message)
		j = j.end(Failed, &why, c.At)
	}
	return j
}

// pause returns how long a task waits after its nth failure.
func pause(n int) time.Duration {
	p := firstPause
	for ; n > 1 && p < LongestPause; n-- {
		p *= 2
	}
	return min(p, LongestPause)
}
