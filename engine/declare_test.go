package engine_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"fletch/engine"
	"fletch/engine/exec"
	"fletch/fault"
)

// TestDeclare calls functions that end in each way that a function can.
func TestDeclare(t *testing.T) {
	plain := errors.New("no such flag")
	for _, c := range []struct {
		name    string
		declare func([]string) (*engine.Job, error)
		class   fault.Class
		want    string
	}{
		{"job", func(args []string) (*engine.Job, error) { return engine.NewJob(args[0]), nil }, 0, ""},
		{"error", func([]string) (*engine.Job, error) { return nil, plain }, fault.Retryable, "no such flag"},
		{"neither", func([]string) (*engine.Job, error) { return nil, nil }, fault.User, "neither a job nor an error"},
		{"panic", func([]string) (*engine.Job, error) { panic("luck") }, fault.User, "Job: panic: luck"},
		{"goexit", func([]string) (*engine.Job, error) { runtime.Goexit(); return nil, nil }, fault.User, "Job: the function called runtime.Goexit"},
		{"nil", nil, fault.User, "nil pointer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			job, err := engine.Declare(c.declare, []string{"name"})
			if c.want == "" {
				if err != nil || job.Name() != "name" {
					t.Errorf("the job is %v, %v", job, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != c.class {
				t.Errorf("the error is %v of class %v, want %v: %s", err, fault.ClassOf(err), c.class, c.want)
			}
			if op, ok := errors.AsType[*exec.OperatorError](err); c.name == "panic" && (!ok || !strings.Contains(op.Frames(), "declare_test.go")) {
				t.Errorf("the frames are missing in %v", err)
			}
		})
	}
}
