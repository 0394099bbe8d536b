package coro

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// serve runs a scheduler until the test ends.
func serve(t *testing.T) *Scheduler {
	s, err := New(Config{Runners: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	end := make(chan error, 1) // takes the error of Run; nobody closes it
	go func() { end <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-end; err != nil {
			t.Error(err)
		}
	})
	return s
}

// What wakes a coroutine after it has decided to park, and before its runner has control again, is not lost.
func TestWokenWhileAboutToPark(t *testing.T) {
	for name, wake := range map[string]func(*Coroutine, *Future[int]){
		"complete": func(_ *Coroutine, f *Future[int]) { f.Complete(1, nil) },
		"cancel":   func(c *Coroutine, _ *Future[int]) { c.Cancel(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var future Future[int]
				c := serve(t).Spawn(Spec{}, func(c *Coroutine) error {
					if future.gate.enter(c) {
						t.Error("the gate is open")
					}
					wake(c, &future)
					c.giveUp(awaiting)
					return nil
				})
				<-c.Done()
			})
		})
	}
}

// Nothing wakes up while all coroutines are parked.
func TestMonitorSleepsWhileNothingRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t)
		var future Future[int]
		s.Spawn(Spec{}, func(c *Coroutine) error {
			_, err := Await(c, &future)
			return err
		})
		time.Sleep(2 * s.config.Quantum)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.mu.asleep {
			t.Error("the monitor is awake")
		}
	})
}
