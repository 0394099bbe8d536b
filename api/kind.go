package api

import "errors"

// kind says which of the errors that callers tell apart an Error is. The numbers are part of the protocol.
type kind uint32

const (
	kindOther     kind = 0
	kindNotLeader kind = 1
	kindNotFound  kind = 2
)

// NotLeader means that a master can't answer as it does not lead.
type NotLeader struct {
	Leader string // address; empty where none is known
}

func (e *NotLeader) Error() string {
	if e.Leader == "" {
		return "this master does not lead, and knows none that does: try again, or another master"
	}
	return "this master does not lead: ask the leader, " + e.Leader
}

// NotFound means that something is not there.
type NotFound struct {
	What string // such as: job wordcount-1
}

func (e *NotFound) Error() string { return "there is no " + e.What }

// ErrUnreachable means that a call found nobody who answers: nothing listens there, or the connection broke. What was
// asked for may have been done all the same.
var ErrUnreachable = errors.New("unreachable")
