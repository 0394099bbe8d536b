package csvio

import (
	"errors"
	"io"
	"testing"

	"fletch/engine"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
	"fletch/format/internal/input/inputtest"
	"fletch/storage/storagetest"
)

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
		err := inputtest.InTask(t, func(task *exec.Task) error {
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
		err := inputtest.InTask(t, func(task *exec.Task) error {
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
