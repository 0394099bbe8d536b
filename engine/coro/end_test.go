package coro_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"fletch/engine/coro"
)

// The end of Run's context reaches coroutines in every state.
func TestEndUnwindsEverything(t *testing.T) {
	s := newScheduler(t, coro.Config{Runners: 2})
	cause := errors.New("the day is over")
	ctx, cancel := context.WithCancelCause(context.Background())
	var never coro.Future[int]
	var deferred atomic.Int32
	var all []*coro.Coroutine
	for range 50 {
		all = append(all, spawn(s, "parked", func(c *coro.Coroutine) error {
			defer deferred.Add(1)
			_, err := coro.Await(c, &never)
			return err
		}), spawn(s, "yielding", func(c *coro.Coroutine) error {
			defer deferred.Add(1)
			for {
				if err := c.Yield(); err != nil {
					return err
				}
			}
		}))
	}
	spawn(s, "last", func(*coro.Coroutine) error { cancel(cause); return nil })
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if err := result(c); err != cause {
			t.Fatalf("%s: %v", c.Name(), err)
		}
	}
	if deferred.Load() != int32(len(all)) {
		t.Errorf("%d defers of %d coroutines", deferred.Load(), len(all))
	}
}

// wantStuck expects Run to end with the grace and to name what is stuck.
func wantStuck(t *testing.T, end func() error, grace time.Duration, names ...string) {
	t.Helper()
	start := time.Now()
	err := end()
	var stuck *coro.StuckError
	if !errors.As(err, &stuck) || !slices.Equal(stuck.Names, names) || stuck.Grace != grace {
		t.Errorf("got %v, want %q", err, names)
	}
	if took := time.Since(start); took != grace {
		t.Errorf("Run took %v to end", took)
	}
}

func TestStuckCoroutineIsNamed(t *testing.T) {
	const grace = time.Second
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, coro.Config{Runners: 1, Grace: grace, BlockedAfter: time.Hour})
		release := make(chan struct{}) // closed below
		unwound := false
		stuck := spawn(s, "stuck", func(c *coro.Coroutine) error {
			defer func() { unwound = true }()
			<-release
			for {
				c.Yield()
			}
		})
		other := spawn(s, "other", func(c *coro.Coroutine) error { return c.Yield() })
		end := run(s)
		synctest.Wait()
		wantStuck(t, end, grace, "stuck (running)")
		if err := result(other); !errors.Is(err, context.Canceled) {
			t.Errorf("the other one: %v", err)
		}
		// What comes back after the end is unwound by force.
		close(release)
		if err := result(stuck); !errors.Is(err, context.Canceled) || !unwound {
			t.Errorf("late: %v, unwound %v", err, unwound)
		}
	})
}

// Who overlooks the cause for most of the grace is unwound where it switches next, its defers included.
func TestDeafCoroutineIsUnwound(t *testing.T) {
	for name, deaf := range map[string]func(*coro.Coroutine){
		"yields": func(c *coro.Coroutine) { c.Yield() },
		"awaits": func(c *coro.Coroutine) { coro.Await(c, new(coro.Future[int])) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScheduler(t, coro.Config{Runners: 1, Grace: time.Second})
				joined := false
				c := spawn(s, "deaf", func(c *coro.Coroutine) error {
					slow := coro.Go(c, func() (int, error) { time.Sleep(900 * time.Millisecond); return 1, nil })
					defer func() {
						n, _ := coro.Join(c, slow)
						joined = n == 1
					}()
					for {
						time.Sleep(time.Millisecond)
						deaf(c)
					}
				})
				end := run(s)
				synctest.Wait()
				if err := end(); err != nil {
					t.Error(err)
				}
				if err := result(c); !errors.Is(err, context.Canceled) || !joined {
					t.Errorf("got %v, joined %v", err, joined)
				}
			})
		})
	}
}

func TestStuckCallIsNamed(t *testing.T) {
	const grace = 2 * time.Second // the default
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, coro.Config{Runners: 1, IO: 1})
		release := make(chan struct{}) // closed below
		wait := func() (int, error) { <-release; return 1, nil }
		joins := spawn(s, "joins", func(c *coro.Coroutine) error {
			_, err := coro.Join(c, coro.Go(c, wait))
			return err
		})
		awaits := spawn(s, "awaits", func(c *coro.Coroutine) error {
			_, err := coro.Await(c, coro.Go(c, wait))
			return err
		})
		refused := spawn(s, "refused", func(c *coro.Coroutine) error {
			_, err := coro.Join(c, coro.Go(c, wait))
			return err
		})
		end := run(s)
		synctest.Wait()
		wantStuck(t, end, grace, "joins (call)", "joins (joining)", "refused (joining)")
		if err := result(awaits); !errors.Is(err, context.Canceled) {
			t.Errorf("awaits: %v", err)
		}
		if err := result(refused); !errors.Is(err, coro.ErrStopped) {
			t.Errorf("refused: %v", err)
		}
		close(release)
		if err := result(joins); err != nil {
			t.Errorf("joins: %v", err)
		}
	})
}

// What is ready but finds no runner until the end is unwound after it.
func TestReadyCoroutineOutlastsTheRunners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, coro.Config{Seed: 1}) // a runner with a seed is not replaced
		release := make(chan struct{})             // closed below
		c := spawn(s, "parked", func(c *coro.Coroutine) error {
			var never coro.Future[int]
			_, err := coro.Await(c, &never)
			return err
		})
		end := run(s)
		synctest.Wait()
		stuck := spawn(s, "stuck", func(*coro.Coroutine) error { <-release; return nil })
		synctest.Wait()
		wantStuck(t, end, 2*time.Second, "parked (ready)", "stuck (running)")
		if err := result(c); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(release)
		result(stuck)
	})
}

// Run waits for calls whose coroutines have ended, and no longer.
func TestRunJoinsCalls(t *testing.T) {
	const long = time.Second
	synctest.Test(t, func(t *testing.T) {
		s := newScheduler(t, coro.Config{})
		returned := false
		c := spawn(s, "c", func(c *coro.Coroutine) error {
			coro.Go(c, func() (int, error) { time.Sleep(long); returned = true; return 0, nil })
			return nil
		})
		end := run(s)
		result(c)
		start := time.Now()
		if err := end(); err != nil || !returned || time.Since(start) != long {
			t.Errorf("Run ended after %v with %v, call returned: %v", time.Since(start), err, returned)
		}
	})
}

func TestRunJoinsTheMonitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		returned := false
		s := newScheduler(t, coro.Config{OnBlocked: func(string, time.Duration) { time.Sleep(time.Minute); returned = true }})
		c := spawn(s, "c", func(c *coro.Coroutine) error { time.Sleep(2 * time.Second); return nil })
		end := run(s)
		result(c)
		if err := end(); err != nil || !returned {
			t.Errorf("error %v, callback returned: %v", err, returned)
		}
	})
}
