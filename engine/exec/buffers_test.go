package exec

import (
	"context"
	"errors"
	"testing"

	"fletch/engine/budget"
	"fletch/engine/coro"
)

// However small the steps, the buffers of sources do not outgrow what the share is sure of; within that they are granted
// even if others of the task hold the rest.
func TestHold(t *testing.T) {
	const limit, step = 100, 10
	s, err := coro.New(coro.Config{Runners: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1) // Run's result
	go func() { ended <- s.Run(ctx) }()
	c := s.Spawn(coro.Spec{Name: "test"}, func(c *coro.Coroutine) error {
		share, err := budget.NewPool(limit, 1, 1).Join(c)
		if err != nil {
			return err
		}
		task := &Task{Context: ctx, Coroutine: c, Share: share, Progress: &Progress{}}
		share.Must(limit - 2*step)
		held := int64(0)
		for err == nil && held < 10*limit {
			if err = task.Hold(step); err == nil {
				held += step
			}
		}
		if tooLarge, ok := errors.AsType[*budget.TooLargeError](err); !ok || held != limit || tooLarge.Bytes != limit+step {
			t.Errorf("%d bytes are held, then %v", held, err)
		}
		if task.TryHold(1) {
			t.Error("a byte more is there at once")
		}
		task.Drop(held)
		if share.Used() != limit-2*step || !task.TryHold(step) {
			t.Errorf("%d bytes are used once they have been given back", share.Used())
		}
		return nil
	})
	<-c.Done()
	cancel()
	if err := errors.Join(c.Err(), <-ended); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
