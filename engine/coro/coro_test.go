package coro_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"fletch/engine/coro"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newScheduler(t testing.TB, config coro.Config) *coro.Scheduler {
	t.Helper()
	s, err := coro.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run starts s. What it returns ends the context of Run and gives its error.
func run(s *coro.Scheduler) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1) // takes the error of Run; nobody closes it
	go func() { result <- s.Run(ctx) }()
	return func() error {
		cancel()
		return <-result
	}
}

// serve runs a scheduler until the test ends, and then expects a clean end.
func serve(t testing.TB, config coro.Config) *coro.Scheduler {
	t.Helper()
	s := newScheduler(t, config)
	end := run(s)
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// result waits for the end of c.
func result(c *coro.Coroutine) error {
	<-c.Done()
	return c.Err()
}

func spawn(s *coro.Scheduler, name string, entry func(*coro.Coroutine) error) *coro.Coroutine {
	return s.Spawn(coro.Spec{Name: name}, entry)
}

// nothing is an entry function that returns at once.
func nothing(*coro.Coroutine) error { return nil }
