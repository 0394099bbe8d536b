package csvio

import (
	"context"
	"errors"
	"io"
	"testing"

	"fletch/engine"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
	"fletch/storage/storagetest"
)

// inTask runs f as an attempt does: on a coroutine, with I/O goroutines beside it.
func inTask(t *testing.T, f func(*exec.Task) error) error {
	t.Helper()
	s, err := coro.New(coro.Config{Runners: 1, IO: 2})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1) // Run's result
	go func() { ended <- s.Run(ctx) }()
	c := s.Spawn(coro.Spec{Name: "test"}, func(c *coro.Coroutine) error {
		share, err := budget.NewPool(1<<30, 1, 1).Join(c)
		if err != nil {
			return err
		}
		return f(&exec.Task{Share: share, Context: ctx, Coroutine: c, MaxLineBytes: 1 << 20, Progress: &exec.Progress{}})
	})
	<-c.Done()
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	return c.Err()
}

// open opens the job's one source.
func open(task *exec.Task, in plan.FileRange) (exec.Source, error) {
	job := engine.NewJob("test")
	Read[int](job, "in.csv")
	return job.Program()[0].Open(task, plan.Split{Files: []plan.FileRange{in}})
}

// numbers is a file of several pieces, with a mistake at the end.
func numbersFile(t *testing.T, name string) plan.FileRange {
	content := []byte("value\n")
	for range 400_000 {
		content = append(content, "12\n"...)
	}
	content = append(content, "x\n"...)
	if name[len(name)-1] == 't' { // .zst
		content = storagetest.Zip(t, ".zst", content)
	}
	return storagetest.Put(name, content)
}

// A reader that is closed while it reads ahead lets the read finish before it closes the file.
func TestCloseWhileReading(t *testing.T) {
	for _, name := range []string{"ahead", "ahead.zst"} {
		err := inTask(t, func(task *exec.Task) error {
			r, err := open(task, numbersFile(t, name))
			if err != nil {
				return err
			}
			rec, err := r.Next()
			if err != nil {
				return err
			}
			rec.Release()
			return r.Close()
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// The lines are counted beside the coroutine. An attempt that is cancelled does not wait for that.
func TestMistakeInTask(t *testing.T) {
	stop := errors.New("stop")
	for _, cancel := range []bool{false, true} {
		err := inTask(t, func(task *exec.Task) error {
			r, err := open(task, numbersFile(t, "mistake"))
			if err != nil {
				return err
			}
			for err == nil {
				var rec interface{ Release() }
				if rec, err = r.Next(); err == nil {
					rec.Release()
				}
				if cancel {
					task.Coroutine.Cancel(stop)
				}
			}
			return errors.Join(err, r.Close())
		})
		switch {
		case !cancel:
			faulttest.Want(t, err, fault.User, `test://mistake line 400002, column 1 (value): "x" is no int64`)
		case errors.Is(err, io.EOF) || !errors.Is(err, stop) && fault.ClassOf(err) != fault.User:
			t.Errorf("error %v of a cancelled attempt", err)
		}
	}
}
