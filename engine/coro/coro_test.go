package coro_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"fletch/engine/coro"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a scheduler until the test ends, and then expects a clean end.
func serve(t testing.TB, config coro.Config) *coro.Scheduler {
	t.Helper()
	s, err := coro.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1) // takes the one error of Run
	go func() { end <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-end; err != nil {
			t.Error(err)
		}
	})
	return s
}
