package exec

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"

	"fletch/fault"
)

// OperatorError is a failure of a job's code: which operator, at which record.
type OperatorError struct {
	Op       string // the operator with its file and line
	Position string // of the record it was at; empty where there was none
	Err      error
	Stack    []byte // of a panic
}

func (e *OperatorError) Error() string {
	where := e.Op
	if e.Position != "" {
		where += ", at the record " + e.Position
	}
	return fmt.Sprintf("%s: %v", where, e.Err) // fmt bears an Error method that panics
}

func (e *OperatorError) Unwrap() error { return e.Err }

// PanicError is a panic of user code.
type PanicError struct{ Value any }

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the panic's value where that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ErrGoexit means that user code ended its goroutine.
var ErrGoexit = errors.New("the function called runtime.Goexit (as t.Fatal does); return an error from Process instead")

// errRecovered means that records are lost in a later operator, of whose panic nobody else knows any more.
var errRecovered = errors.New("the function recovered from a panic of a later operator; recover only around code of your own")

// abort carries an error out of nested rows.
type abort struct{ error }

// check leaves the rows with err unless it is nil. User code on the way may recover from that; Run fails all the same.
func (t *Task) check(err error) {
	if err != nil {
		t.aborted = cmp.Or(t.aborted, err)
		panic(abort{t.aborted})
	}
}

// blame gives err the operator that is running and the record it is at. What fails once the attempt is cancelled is laid
// to that.
func (t *Task) blame(err error, stack []byte) error {
	class := fault.User
	if t.Context.Err() != nil {
		class = fault.Cancelled
	}
	return fault.As(class, &OperatorError{Op: t.operator(), Position: t.position(), Err: err, Stack: stack})
}

// operator returns the name of the operator that is running.
func (t *Task) operator() string {
	if t.op < len(t.program) {
		return t.program[t.op].String()
	}
	return ""
}

// position tells where the record that is at work stands; empty where there is none.
func (t *Task) position() (p string) {
	if t.source == nil || t.row < 0 {
		return ""
	}
	defer func() {
		if v := recover(); v != nil {
			p = fmt.Sprintf("%d of its batch (Position: panic: %v)", t.row, v)
		}
	}()
	return t.source.Position(t.row)
}

// named gives err the name of the operator that is running, unless it has one.
func (t *Task) named(err error) error {
	if _, ok := errors.AsType[*OperatorError](err); ok || err == nil {
		return err
	}
	return fmt.Errorf("%s: %w", t.operator(), err)
}

// recovered turns the end of a run into its error: a deferred call gives it the value of recover, and whether the run
// came to its end.
func (t *Task) recovered(value any, ended bool) error {
	if t.aborted != nil {
		return t.aborted
	}
	switch v := value.(type) {
	case nil:
		if ended {
			return nil
		}
		return t.blame(ErrGoexit, nil)
	default:
		return t.blame(&PanicError{v}, debug.Stack())
	}
}
