package worker

import (
	"errors"
	"fmt"
	"time"

	"fletch/api"
	"fletch/fault"
)

// attempt is one that was ordered and has not ended.
type attempt struct {
	name   string
	order  *api.StartOrder
	job    *job
	sent   bool // the executor has it
	rows   int64
	bytes  int64
	grew   time.Time // when it last came further, or was sent
	stopBy time.Time // when it has to have ended; zero if nobody has stopped it
	stuck  bool      // it was stopped as it finished no record
	reason string    // why it was stopped
}

// start takes the order for an attempt.
func (a *agent) start(m *api.StartOrder) {
	name := m.GetAttempt()
	if a.attempts[name] != nil || a.outcomes.has(name) || a.held[name] != nil {
		return // an order that was repeated
	}
	a.meter.started.Inc()
	j := a.jobs[m.GetJob()]
	if j == nil {
		a.conclude(&api.AttemptEnded{Attempt: name, Error: api.ErrorOf(errNoJob)})
		return
	}
	t := &attempt{name: name, order: m, job: j}
	a.attempts[name], j.attempts[name] = t, t
	j.waiting = append(j.waiting, t)
	a.advance(j)
}

// stop takes the order to stop an attempt. One that is not here has ended for ever.
func (a *agent) stop(m *api.StopOrder) {
	t := a.attempts[m.GetAttempt()]
	switch {
	case t == nil && a.outcomes.has(m.GetAttempt()):
	case t == nil:
		err := fault.As(fault.Cancelled, errors.New("the attempt does not run on this worker"))
		a.conclude(&api.AttemptEnded{Attempt: m.GetAttempt(), Error: api.ErrorOf(err)})
	case !t.stopBy.IsZero():
	default:
		a.halt(t, m.GetReason())
	}
}

// halt stops an attempt.
func (a *agent) halt(t *attempt, reason string) {
	t.reason = reason
	if !t.sent {
		a.fail(t, t.stopped())
		return
	}
	t.stopBy = time.Now().Add(a.config.waits.stop)
	t.job.child.say(&api.AgentMessage{Message: &api.AgentMessage_Stop{Stop: &api.StopAttempt{Attempt: t.name, Reason: reason}}})
}

// stopped returns the error of an attempt that was stopped.
func (t *attempt) stopped() error {
	if t.stuck {
		return fault.As(fault.User, errors.New(t.reason))
	}
	return fault.As(fault.Cancelled, fmt.Errorf("stopped: %s", t.reason))
}

// disobeyed returns the error of an attempt that was stopped and did not end, with what its job's code was doing.
func (t *attempt) disobeyed(frames string) error {
	if t.stuck {
		return fault.As(fault.User, &deathError{text: t.reason, frames: frames})
	}
	return t.stopped()
}

// progressed takes what an executor says of its attempts. It names those alone that have come further, be it not in rows or
// bytes.
func (a *agent) progressed(c *child, m *api.ProgressReport) {
	for _, p := range m.GetAttempts() {
		t := a.attempts[p.GetAttempt()]
		if t == nil || t.job.child != c {
			continue
		}
		t.rows, t.bytes, t.grew = max(t.rows, p.GetRows()), max(t.bytes, p.GetBytes()), time.Now()
	}
}

// ended takes an executor's word for the end of an attempt.
func (a *agent) ended(c *child, m *api.AttemptEnded) {
	t := a.attempts[m.GetAttempt()]
	if t == nil || t.job.child != c || !t.sent {
		return
	}
	switch {
	case m.GetError() != nil && t.stuck:
		a.fail(t, t.stopped())
	case m.GetError() != nil:
		a.finish(t, m)
	default:
		a.succeed(t, m)
	}
}

// succeed ends an attempt with a result, once its blocks can be served.
func (a *agent) succeed(t *attempt, m *api.AttemptEnded) {
	if len(m.GetResult().GetShuffles()) > 0 {
		if err := t.job.outputs.commit(t.name); err != nil {
			a.fail(t, err)
			return
		}
		a.held[t.name] = t.job
	}
	a.finish(t, m)
}

// fail ends an attempt with an error.
func (a *agent) fail(t *attempt, err error) {
	a.finish(t, &api.AttemptEnded{Attempt: t.name, Error: api.ErrorOf(err)})
}

// finish ends an attempt.
func (a *agent) finish(t *attempt, m *api.AttemptEnded) {
	delete(a.attempts, t.name)
	delete(t.job.attempts, t.name)
	for i, w := range t.job.waiting {
		if w == t {
			t.job.waiting = append(t.job.waiting[:i:i], t.job.waiting[i+1:]...)
			break
		}
	}
	a.warn("free the memory of an attempt", t.job.outputs.release(t.name))
	a.conclude(m)
}

// conclude keeps the end of an attempt until the leader has acknowledged it.
func (a *agent) conclude(m *api.AttemptEnded) {
	a.meter.conclude(m)
	a.outcomes.add(m)
	a.link.wake()
}

// beat is a heartbeat, and whether another one has to follow at once.
type beat struct {
	message *api.Heartbeat
	more    bool
}

// heartbeat returns what the leader has to know now. What it has not acknowledged for as long as repeat is repeated.
func (a *agent) heartbeat(repeat time.Duration) beat {
	ended, more := a.outcomes.take(time.Now(), repeat)
	m := &api.Heartbeat{Ended: ended, ResidentBytes: a.residentBytes()}
	for name, t := range a.attempts {
		if t.sent {
			m.Progress = append(m.Progress, &api.AttemptProgress{Attempt: name, Rows: t.rows, Bytes: t.bytes})
		}
	}
	return beat{m, more}
}
