package coro_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fletch/engine/coro"
)

// The flag goes up when the quantum is spent, and is down again after a switch.
func TestFlagGoesUpAfterTheQuantum(t *testing.T) {
	const quantum = 10 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, coro.Config{Runners: 2, Quantum: quantum})
		entry := func(c *coro.Coroutine) error {
			for range 3 {
				time.Sleep(quantum - 1)
				if c.ShouldYield() {
					t.Error("the flag is up before the quantum is spent")
				}
				time.Sleep(2 * time.Nanosecond)
				if !c.ShouldYield() {
					t.Error("the flag is down though the quantum is spent")
				}
				c.Yield()
				if c.ShouldYield() {
					t.Error("the flag is up after a switch")
				}
			}
			return nil
		}
		first := spawn(s, "first", entry)
		time.Sleep(quantum / 2) // so that the two have different deadlines
		second := spawn(s, "second", entry)
		result(first)
		result(second)
	})
}

// Yields within the quantum do not make the time before them count for ever.
func TestYieldingIsNotBlocking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, coro.Config{Runners: 1, BlockedAfter: 15 * time.Millisecond, OnBlocked: func(name string, d time.Duration) {
			t.Errorf("%s is reported after %v", name, d)
		}})
		result(spawn(s, "busy", func(c *coro.Coroutine) error {
			for range 1000 {
				time.Sleep(time.Millisecond)
				c.Yield()
			}
			return nil
		}))
	})
}

// While a coroutine blocks its runner, another runner has the permit; when it comes back, still one runs at a time.
func TestBlockedRunnerIsReplaced(t *testing.T) {
	const blockedAfter = time.Second
	synctest.Test(t, func(t *testing.T) {
		var reports atomic.Int32
		s := serve(t, coro.Config{Runners: 1, BlockedAfter: blockedAfter, OnBlocked: func(name string, running time.Duration) {
			reports.Add(1)
			if name != "first" || running != blockedAfter {
				t.Errorf("%s is reported after %v", name, running)
			}
		}})
		inside := false
		turns := func(c *coro.Coroutine) error {
			for range 10 {
				if inside {
					t.Error("two coroutines run on one permit")
				}
				inside = true
				time.Sleep(time.Millisecond)
				inside = false
				c.Yield()
			}
			return nil
		}
		release := make(chan struct{}) // closed below
		first := spawn(s, "first", func(c *coro.Coroutine) error {
			<-release
			c.Yield() // gives up the runner that is one too many
			return turns(c)
		})
		synctest.Wait()
		start := time.Now()
		result(spawn(s, "other", nothing))
		if waited := time.Since(start); waited != blockedAfter {
			t.Errorf("another coroutine ran after %v", waited)
		}
		second := spawn(s, "second", turns)
		close(release)
		result(first)
		result(second)
		if n := reports.Load(); n != 1 {
			t.Errorf("%d reports", n)
		}
	})
}

// A coroutine that comes back to a runner that is one too many is taken over by one that idles.
func TestBlockedCoroutineGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, coro.Config{Runners: 1})
		release := make(chan struct{}) // closed below
		c := spawn(s, "c", func(c *coro.Coroutine) error { <-release; return c.Yield() })
		time.Sleep(time.Minute)
		close(release)
		result(c)
	})
}

// All of many blocked coroutines are passed, and each is taken up again.
func TestManyBlockedRunners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports atomic.Int32
		s := newScheduler(t, coro.Config{Runners: 2, OnBlocked: func(string, time.Duration) { reports.Add(1) }})
		end := run(s)
		release := make(chan struct{}) // closed below
		var ended sync.WaitGroup
		const n = 20
		for range n {
			ended.Add(1)
			spawn(s, "blocked", func(c *coro.Coroutine) error {
				defer ended.Done()
				<-release
				c.Yield()
				return nil
			})
		}
		result(spawn(s, "last", nothing))
		close(release)
		ended.Wait()
		if err := end(); err != nil {
			t.Error(err)
		}
		if reports.Load() < n-1 {
			t.Errorf("%d reports of %d blocked coroutines", reports.Load(), n)
		}
	})
}
