package coro_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"fletch/engine/coro"
)

func TestConfigNamesEveryProblem(t *testing.T) {
	_, err := coro.New(coro.Config{Runners: -1, Quantum: -1, BlockedAfter: -1, Grace: -1, IO: -1})
	if err == nil {
		t.Fatal("negative values are accepted")
	}
	for _, field := range []string{"Runners", "Quantum", "BlockedAfter", "Grace", "IO"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("%s is missing in %q", field, err)
		}
	}
	if _, err := coro.New(coro.Config{Runners: 2, Seed: 1}); err == nil {
		t.Error("a seed with two runners is accepted")
	}
}

func TestRunOnce(t *testing.T) {
	s := newScheduler(t, coro.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Run(ctx); err == nil {
		t.Fatal("a second Run is accepted")
	}
}

func TestSpawnAtAnyTime(t *testing.T) {
	s := newScheduler(t, coro.Config{Runners: 2})
	before := spawn(s, "before", nothing)
	end := run(s)
	var inside *coro.Coroutine
	during := spawn(s, "during", func(c *coro.Coroutine) error {
		inside = spawn(c.Scheduler(), "inside", nothing)
		return nil
	})
	for _, c := range []*coro.Coroutine{before, during} {
		if err := result(c); err != nil {
			t.Errorf("%s: %v", c.Name(), err)
		}
	}
	if err := result(inside); err != nil {
		t.Error(err)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if err := result(spawn(s, "after", nothing)); !errors.Is(err, coro.ErrStopped) {
		t.Errorf("after the end: %v", err)
	}
}

// With one runner, later stages go first, and equals in the order of their creation.
func TestLaterStagesGoFirst(t *testing.T) {
	s := newScheduler(t, coro.Config{Runners: 1})
	var trace []string
	var all []*coro.Coroutine
	for i, stage := range []int{0, 2, 1, 0, 2} {
		all = append(all, s.Spawn(coro.Spec{Stage: stage}, func(c *coro.Coroutine) error {
			for range 2 {
				trace = append(trace, fmt.Sprint(stage, ".", i))
				c.Yield()
			}
			return nil
		}))
	}
	end := run(s)
	for _, c := range all {
		<-c.Done()
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	want := "2.1 2.4 2.1 2.4 1.2 1.2 0.0 0.3 0.0 0.3"
	if got := strings.Join(trace, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A coroutine whose quantum is spent goes on before its equals, but not for ever, and not before other jobs. One that has
// waited goes on before them, too.
func TestStretches(t *testing.T) {
	tests := []struct {
		name string
		most int // times that one of them follows the other
		step func(c *coro.Coroutine) error
	}{
		{"quantum", 8, func(c *coro.Coroutine) error {
			for !c.ShouldYield() {
				time.Sleep(time.Millisecond)
			}
			return c.Yield()
		}},
		{"await", 100, func(c *coro.Coroutine) error { // while one waits, the other may run
			time.Sleep(10 * time.Millisecond)
			_, err := coro.Await(c, coro.Go(c, func() (struct{}, error) { return struct{}{}, nil }))
			return err
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScheduler(t, coro.Config{Runners: 1})
				last, switches, used := "", 0, map[string]time.Duration{}
				for _, name := range []string{"a", "b", "other"} {
					job := strings.TrimLeft(name, "ab") // that of a and b has no name
					s.Spawn(coro.Spec{Name: name, Job: job}, func(c *coro.Coroutine) error {
						for {
							if job == "" && last != name {
								last = name
								switches++
							}
							begun := time.Now()
							err := test.step(c)
							used[job] += min(time.Since(begun), 10*time.Millisecond)
							if err != nil {
								return err
							}
						}
					})
				}
				end := run(s)
				time.Sleep(10*time.Second + time.Millisecond)
				if err := end(); err != nil {
					t.Error(err)
				}
				if switches < 4 || switches > test.most {
					t.Errorf("a and b have taken turns %d times in the 5 seconds that are theirs", switches)
				}
				if d := used[""] - used["other"]; d.Abs() > 100*time.Millisecond {
					t.Errorf("used by jobs: %v", used)
				}
			})
		})
	}
}

// Jobs with different numbers of coroutines and lengths of turns use the runner equally, on a clock that only their
// turns move.
func TestJobsShareARunner(t *testing.T) {
	const longest = 9 // milliseconds
	rapid.Check(t, func(rt *rapid.T) {
		turns := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(1, longest), 1, 4), 2, 4).Draw(rt, "turns of the coroutines of jobs")
		used := make([]int, len(turns)) // milliseconds
		synctest.Test(t, func(t *testing.T) {
			s := newScheduler(t, coro.Config{Runners: 1})
			for job, lengths := range turns {
				for _, length := range lengths {
					s.Spawn(coro.Spec{Job: fmt.Sprint(job)}, func(c *coro.Coroutine) error {
						for {
							time.Sleep(time.Duration(length) * time.Millisecond)
							used[job] += length
							if err := c.Yield(); err != nil {
								return err
							}
						}
					})
				}
			}
			end := run(s)
			time.Sleep(time.Second)
			if err := end(); err != nil {
				t.Error(err)
			}
		})
		// The last turns, taken to unwind, are in no order.
		if slack := 2*longest + 4*longest; slices.Max(used)-slices.Min(used) > slack {
			rt.Fatalf("used %v", used)
		}
	})
}
