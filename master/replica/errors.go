package replica

import "errors"

// NotLeaderError means that the command or question was not taken, as this master does not lead.
type NotLeaderError struct {
	Leader string // address; empty where none is known
}

func (e *NotLeaderError) Error() string {
	if e.Leader == "" {
		return "this master does not lead, and it knows no leader"
	}
	return "this master does not lead: the leader is " + e.Leader
}

var (
	// ErrUnknown means that leadership, the disk or the caller's patience ended before the fate of a command was known:
	// it may be applied yet. The caller sends it again, as commands are idempotent.
	ErrUnknown = errors.New("it is not known whether the command was applied")
	// ErrTooLarge means that a command does not fit into an entry of the log; the error says the limit.
	ErrTooLarge = errors.New("the command is too large")
)
