package shuffle

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"fletch/engine/coro"
)

var errCause = errors.New("somebody asked for the end")

// A writer whose coroutine is cancelled in the middle of a write ends with the cause, after the write has ended, and
// leaves nothing behind.
func TestCancelledWriter(t *testing.T) {
	sched := startRunners(t, 1)
	s := newStore(t, Config{FrameBytes: 100})
	writing, goOn := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	s.files.create = func(path string) (io.WriteCloser, error) {
		close(writing)
		<-goOn
		ended.Store(true)
		return osFiles.create(path)
	}
	c := sched.Spawn(coro.Spec{Name: "writer"}, func(c *coro.Coroutine) error {
		_, err := write(c, s, "a", rows(60, 3), 10, 3)
		if !ended.Load() {
			t.Error("the writer came back while its I/O goroutine was at work")
		}
		return err
	})
	<-writing
	// The only runner takes these after the writer: the first one when that waits for the write, the second one when it has seen
	// the cause.
	nothing := func(*coro.Coroutine) error { return nil }
	if err := sched.run(nothing); err != nil {
		t.Fatal(err)
	}
	c.Cancel(errCause)
	if err := sched.run(nothing); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	<-c.Done()
	if err := c.Err(); !errors.Is(err, errCause) {
		t.Errorf("error is %v, want the cause", err)
	}
	if len(listing(s)) != 0 {
		t.Errorf("files %v are left", listing(s))
	}
	closeStore(t, s)
}

// A reader whose coroutine is cancelled does not wait for the disk.
func TestCancelledReader(t *testing.T) {
	sched := startScheduler(t)
	s := newStore(t, Config{})
	if err := sched.run(func(c *coro.Coroutine) error {
		_, err := write(c, s, "a", rows(60, 3), 10, 3)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	reading, goOn, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s.files.open = func(path string) (readableFile, error) {
		close(reading)
		<-goOn
		f, err := osFiles.open(path)
		return closeTold{f, closed}, err
	}
	c := sched.Spawn(coro.Spec{Name: "reader"}, func(c *coro.Coroutine) error {
		_, err := read(c, s, []string{"a"}, 0, 1)
		return err
	})
	<-reading
	c.Cancel(errCause)
	<-c.Done()
	if err := c.Err(); !errors.Is(err, errCause) {
		t.Errorf("error is %v, want the cause", err)
	}
	s.files.open = osFiles.open
	close(goOn)
	<-closed
	closeStore(t, s)
}

// closeTold tells when it is closed.
type closeTold struct {
	readableFile
	closed chan struct{}
}

func (f closeTold) Close() error {
	close(f.closed)
	return f.readableFile.Close()
}
