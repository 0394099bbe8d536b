package engine

import (
	"errors"
	"runtime/debug"

	"fletch/engine/exec"
	"fletch/fault"
)

// errExited is the error of a job's function that ended its goroutine.
var errExited = errors.New("the function called runtime.Goexit (as t.Fatal does); return an error instead")

// Declare calls a job's function. A panic in it, or its end by runtime.Goexit, becomes an error of class fault.User; the
// function's own error is returned as it is.
func Declare(declare func(args []string) (*Job, error), args []string) (job *Job, err error) {
	ended := make(chan struct{}) // closed when the call is over
	go func() {
		defer close(ended)
		err = fault.As(fault.User, &exec.OperatorError{Op: "Job", Err: errExited})
		defer func() {
			if v := recover(); v != nil {
				err = fault.As(fault.User, &exec.OperatorError{Op: "Job", Err: &exec.PanicError{Value: v}, Stack: debug.Stack()})
			}
		}()
		job, err = declare(args)
	}()
	<-ended
	if err == nil && job == nil {
		err = fault.As(fault.User, errors.New("the function Job returned neither a job nor an error"))
	}
	return job, err
}
