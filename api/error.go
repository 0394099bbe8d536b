package api

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"fletch/fault"
)

// The caps on what an Error holds: it may be sent in the headers of a reply, which are limited.
const (
	maxMessage = 16 << 10 // bytes
	maxFrames  = 64 << 10 // bytes
	maxLost    = 10_000   // more are found to be lost one by one
)

// ErrorOf returns the message of an error, nil of none. An error that wraps another one keeps what that says of itself:
// its class, NotLeader, NotFound, and what its methods LostAttempts() []string and Frames() string return.
func ErrorOf(err error) *Error {
	if err == nil {
		return nil
	}
	err = FromStatus(err)
	m := &Error{Class: uint32(fault.ClassOf(err)), Message: cut(err.Error(), maxMessage)}
	var notLeader *NotLeader
	var notFound *NotFound
	switch {
	case errors.As(err, &notLeader):
		m.Kind, m.Leader = uint32(kindNotLeader), Text(notLeader.Leader)
	case errors.As(err, &notFound):
		m.Kind, m.Subject = uint32(kindNotFound), Text(notFound.What)
		if m.Class == uint32(fault.Retryable) {
			m.Class = uint32(fault.Permanent)
		}
	}
	var loser interface{ LostAttempts() []string }
	if errors.As(err, &loser) {
		lost := loser.LostAttempts()
		m.Lost = append(m.Lost, lost[:min(len(lost), maxLost)]...)
	}
	var framed interface{ Frames() string }
	if errors.As(err, &framed) {
		m.Frames = cut(framed.Frames(), maxFrames)
	}
	return m
}

// cut makes a text fit for a message, of at most limit bytes.
func cut(s string, limit int) string {
	s = Text(s)
	if len(s) <= limit {
		return s
	}
	const mark = " ..."
	return strings.ToValidUTF8(s[:limit-len(mark)], "") + mark // without the half of a character at the end
}

// Err returns the error of a message, nil of none: one with the same text and class. errors.As finds NotLeader and
// NotFound in it, and an interface with LostAttempts() []string or Frames() string, which return nothing where there is
// nothing.
func (m *Error) Err() error {
	if m == nil {
		return nil
	}
	return m.withCode(m.code())
}

func (m *Error) withCode(code codes.Code) error {
	f := &failure{message: m, code: code}
	switch kind(m.GetKind()) {
	case kindNotLeader:
		f.cause = &NotLeader{Leader: m.GetLeader()}
	case kindNotFound:
		f.cause = &NotFound{What: m.GetSubject()}
	default:
		f.cause = causes[code]
	}
	return fault.As(m.class(), f)
}

// class returns the class; one that this version does not know is that of errors that say nothing.
func (m *Error) class() fault.Class {
	if c := m.GetClass(); c <= uint32(fault.Permanent) {
		return fault.Class(c)
	}
	return fault.Retryable
}

// code returns the gRPC code that suits the error.
func (m *Error) code() codes.Code {
	switch kind(m.GetKind()) {
	case kindNotLeader:
		return codes.FailedPrecondition
	case kindNotFound:
		return codes.NotFound
	}
	switch m.class() {
	case fault.User:
		return codes.InvalidArgument
	case fault.FetchFailed:
		return codes.DataLoss
	case fault.Cancelled:
		return codes.Canceled
	case fault.Fenced:
		return codes.Aborted
	case fault.Permanent:
		return codes.FailedPrecondition
	}
	return codes.Internal
}

// causes are the errors that gRPC's own failures stand for.
var causes = map[codes.Code]error{
	codes.Canceled:         context.Canceled,
	codes.DeadlineExceeded: context.DeadlineExceeded,
	codes.Unavailable:      ErrUnreachable,
}

// failure is an error that another process reported, or gRPC itself.
type failure struct {
	message *Error
	code    codes.Code
	cause   error // for errors.Is and errors.As; nil where callers tell nothing apart
}

func (f *failure) Error() string { return f.message.GetMessage() }

func (f *failure) Unwrap() error { return f.cause }

// GRPCStatus lets package status take the error for one of gRPC.
func (f *failure) GRPCStatus() *status.Status { return f.message.status(f.code) }

// LostAttempts returns the attempts whose output is lost, where the class is fetch failed.
func (f *failure) LostAttempts() []string { return f.message.GetLost() }

// Frames returns the lines of the job's code that a panic came from.
func (f *failure) Frames() string { return f.message.GetFrames() }
