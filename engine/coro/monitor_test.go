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
				time.Sleep(2)
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

func TestBlockedRunnerIsReplaced(t *testing.T) {
	blocked := make(chan string, 1) // takes the one report; nobody closes it
	s := serve(t, coro.Config{Runners: 1, BlockedAfter: time.Millisecond, Quantum: time.Millisecond,
		OnBlocked: func(name string, running time.Duration) {
			if running < time.Millisecond {
				t.Errorf("reported after %v", running)
			}
			blocked <- name
		}})
	release := make(chan struct{}) // closed below
	var inside atomic.Int32
	turns := func(c *coro.Coroutine) error {
		for range 10_000 {
			if inside.Add(1) > 1 {
				t.Error("two coroutines run on one permit")
			}
			inside.Add(-1)
			c.Yield()
		}
		return nil
	}
	first := spawn(s, "first", func(c *coro.Coroutine) error {
		<-release
		c.Yield() // gives up the runner that is one too many
		return turns(c)
	})
	if name := <-blocked; name != "first" {
		t.Fatalf("%s is reported", name)
	}
	if err := result(spawn(s, "other", nothing)); err != nil {
		t.Fatal(err)
	}
	second := spawn(s, "second", turns)
	close(release)
	result(first)
	result(second)
}

// All of many blocked coroutines are passed, and each is taken up again.
func TestManyBlockedRunners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports atomic.Int32
		s := serve(t, coro.Config{Runners: 2, OnBlocked: func(string, time.Duration) { reports.Add(1) }})
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
		if reports.Load() < n-1 {
			t.Errorf("%d reports of %d blocked coroutines", reports.Load(), n)
		}
	})
}
