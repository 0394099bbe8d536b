package inputtest

import (
	"context"
	"errors"
	"testing"

	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/exec"
)

// InTask runs f as an attempt does: on a coroutine, with I/O goroutines beside it.
func InTask(t *testing.T, f func(*exec.Task) error) error {
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
