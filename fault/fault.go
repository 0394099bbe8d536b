// Package fault is the taxonomy of failures: an error's class says who acts on it. Errors keep their class through
// wrapping; a message is never parsed to find out.
package fault

import (
	"context"
	"errors"
	"slices"
	"syscall"
)

// Class says who acts on a failure.
type Class uint8

// The classes. Where an error carries several, the outermost counts.
const (
	// Retryable is a failure of this machine at this time: another attempt may succeed. It is the class of every
	// error that says nothing else.
	Retryable Class = iota
	// User is a failure of the job's code or of its input: it fails the job once its attempts are spent.
	User
	// FetchFailed means that a producer's output is gone or damaged: the producer runs again, the reader is not blamed.
	FetchFailed
	// Cancelled means that somebody asked for the end of the work.
	Cancelled
	// Fenced means that the sender is behind: its term, epoch or attempt has been replaced.
	Fenced
	// Permanent is a failure that no further attempt can mend, such as an output directory that already exists: it fails
	// the job at once.
	Permanent
)

var names = [...]string{"retryable", "user", "fetch failed", "cancelled", "fenced", "permanent"}

// String returns the class as it stands in messages and in JSON.
func (c Class) String() string {
	if int(c) < len(names) {
		return names[c]
	}
	return "unknown"
}

// classified gives an error a class and leaves its text alone.
type classified struct {
	error
	class Class
}

func (e *classified) Unwrap() error { return e.error }

// As returns err with class c; nil stays nil.
func As(c Class, err error) error {
	if err == nil {
		return nil
	}
	return &classified{error: err, class: c}
}

// ClassOf returns the class of err. The end of a context is Cancelled; a deadline is not, as nobody asked for it.
func ClassOf(err error) Class {
	var e *classified
	switch {
	case errors.As(err, &e):
		return e.class
	case errors.Is(err, context.Canceled):
		return Cancelled
	default:
		return Retryable
	}
}

// IsDiskFull reports whether err, of no other class than Retryable, says that a disk takes no more.
func IsDiskFull(err error) bool {
	is := func(full syscall.Errno) bool { return errors.Is(err, full) }
	return ClassOf(err) == Retryable && slices.ContainsFunc([]syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS}, is)
}
