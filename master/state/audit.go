package state

import (
	"slices"
	"time"
)

// Audit records that somebody has asked for something. Submit and Cancel record themselves where they name a user.
type Audit struct {
	User    string
	Action  string // such as "add master"
	Subject string
	At      time.Time
}

// AuditEntry is one request that was granted.
type AuditEntry struct {
	User, Action, Subject string
	At                    time.Time
}

// The audit log keeps the latest entries, and of each text what a line can show.
const (
	maxAudit     = 1000
	maxAuditText = 300 // bytes
)

func (c Audit) apply(m *Machine) (Outcome, error) {
	m.note(AuditEntry(c))
	return Outcome{}, nil
}

// note adds an entry. The same one again changes nothing, so that a command may be sent again.
func (m *Machine) note(e AuditEntry) {
	for _, text := range []*string{&e.User, &e.Action, &e.Subject} {
		*text = cut(*text, maxAuditText)
	}
	if slices.Contains(m.audit, e) {
		return
	}
	// A copy, as others may hold the list.
	m.audit = append(slices.Clone(m.audit[max(len(m.audit)+1-maxAudit, 0):]), e)
}

// Audit returns who asked for what, the latest last. The list never changes.
func (m *Machine) Audit() []AuditEntry { return m.audit }
