package coro

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Nothing wakes up while all coroutines are parked.
func TestMonitorSleepsWhileNothingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Run(ctx)
		var future Future[int]
		s.Spawn(Spec{}, func(c *Coroutine) error { Await(c, &future); return nil })
		time.Sleep(2 * s.config.Quantum)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.mu.asleep {
			t.Error("the monitor is awake")
		}
	})
}
