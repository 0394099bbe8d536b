package state

import (
	"fmt"
	"time"

	"fletch/fault"
)

// Publish decides the job's commit. From here on it rolls forward: it can't be cancelled, and no task changes.
type Publish struct {
	Job string
	At  time.Time
}

func (c Publish) apply(m *Machine) (Outcome, error) { return m.change(c.Job, c.change) }

func (c Publish) change(j *Job) (*Job, error) {
	if j.Decided {
		return j, nil
	}
	if err := j.open(); err != nil {
		return j, err
	}
	if j.Duty != DutyCommit {
		return j, fmt.Errorf("job %s can't be committed: it has tasks to run", j.ID)
	}
	after := *j
	after.Decided, after.Duty = true, DutyPublish
	return &after, nil
}

// Published reports that all outputs of the job are published.
type Published struct {
	Job string
	At  time.Time
}

func (c Published) apply(m *Machine) (Outcome, error) { return m.change(c.Job, c.change) }

func (c Published) change(j *Job) (*Job, error) {
	switch {
	case j.Status == Succeeded:
		return j, nil
	case j.Status.Ended():
		return j, j.open()
	case !j.Decided:
		return j, fmt.Errorf("the commit of job %s is not decided", j.ID)
	}
	return j.end(Succeeded, nil, c.At), nil
}

// Abort fails the job for a reason outside its attempts: it can't be planned, or its outputs can't be published.
type Abort struct {
	Job     string
	Class   fault.Class
	Message string
	At      time.Time
}

func (c Abort) apply(m *Machine) (Outcome, error) { return m.change(c.Job, c.change) }

func (c Abort) change(j *Job) (*Job, error) {
	why := Failure{Class: c.Class, Message: cut(c.Message, maxMessage), At: c.At}
	switch {
	case j.Status == Failed && *j.Failure == why:
		return j, nil
	case j.Status.Ended():
		return j, j.open()
	}
	return j.end(Failed, &why, c.At), nil
}

// Cancel ends the job on somebody's demand. It comes too late once the commit is decided.
type Cancel struct {
	Job    string
	Reason string // such as "interrupted"
	User   string // who asks, for the audit log
	At     time.Time
}

func (c Cancel) apply(m *Machine) (Outcome, error) {
	before := m.jobs[c.Job]
	o, err := m.change(c.Job, c.change)
	if o.Job != before && c.User != "" {
		m.note(AuditEntry{User: c.User, Action: "cancel", Subject: c.Job, At: c.At})
	}
	return o, err
}

func (c Cancel) change(j *Job) (*Job, error) {
	if j.Status == Cancelled {
		return j, nil
	}
	if err := j.open(); err != nil {
		return j, err
	}
	return j.end(Cancelled, &Failure{Class: fault.Cancelled, Message: cut(c.Reason, maxMessage), At: c.At}, c.At), nil
}
