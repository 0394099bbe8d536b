package coro

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// ErrStopped is the error of a coroutine or of a future that came too late: the scheduler was ending or had ended.
var ErrStopped = errors.New("coroutine scheduler has stopped")

// ErrGoexit is the error of a coroutine or of a future whose function called runtime.Goexit, as testing.T.FailNow does.
var ErrGoexit = errors.New("function called runtime.Goexit")

// PanicError is the error of a coroutine or of a future whose function panicked.
type PanicError struct {
	Value any    // what was given to panic
	Stack []byte // of the goroutine that panicked, as debug.Stack formats it
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// rescue is deferred around a function of the caller: unless *returned says that it ended by itself, it sets *err to
// what ended it.
func rescue(returned *bool, err *error) {
	if *returned {
		return
	}
	switch v := recover(); v.(type) {
	case nil: // panic(nil) gives a value too, so that this can only be Goexit
		*err = ErrGoexit
	case unwinding:
		// giveUp has set *err.
	default:
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}

// unwinding is the panic that unwinds a coroutine by force.
type unwinding struct{}

func (unwinding) Error() string { return "coroutine is unwound, as its scheduler ends" }

// StuckError is the error of Run if something did not end within the grace. What is named still runs or waits.
type StuckError struct {
	Grace time.Duration
	Names []string // of coroutines, each with what it does, and of calls; sorted
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("%d still there %v after they were cancelled: %s", len(e.Names), e.Grace, strings.Join(e.Names, ", "))
}
