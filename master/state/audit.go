package state

import (
	"slices"
	"time"
)

// Audit records that somebody has asked for something. Submit and Cancel record themselves.
type Audit struct {
	User    string
	Action  string // such as "add master"
	Subject string
	At      time.Time
}

func (Audit) isCommand() {}

// AuditEntry is one request that was granted.
type AuditEntry struct {
	User, Action, Subject string
	At                    time.Time
}

// The audit log keeps the latest entries, and of each text what a line can show.
const (
	maxAudit     = 1000
	maxAuditText = 300
)

// noteOf notes who asked for a change of a job.
func (m *Machine) noteOf(c jobCommand) {
	switch c := c.(type) {
	case Submit:
		if c.User != "" {
			m.note(Audit{User: c.User, Action: "submit", Subject: c.ID, At: c.At})
		}
	case Cancel:
		if c.User != "" {
			m.note(Audit{User: c.User, Action: "cancel", Subject: c.Job, At: c.At})
		}
	}
}

// note adds an entry. The same one again changes nothing, so that a command may be sent again.
func (m *Machine) note(c Audit) {
	e := AuditEntry{cut(c.User, maxAuditText), cut(c.Action, maxAuditText), cut(c.Subject, maxAuditText), c.At}
	if slices.Contains(m.audit, e) {
		return
	}
	drop := max(len(m.audit)+1-maxAudit, 0)
	m.audit = append(slices.Clone(m.audit[drop:]), e) // readers may hold the old one
}

// Audit returns who asked for what, the latest last. It is a snapshot: it never changes.
func (m *Machine) Audit() []AuditEntry { return m.audit }
