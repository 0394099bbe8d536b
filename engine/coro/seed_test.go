package coro_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/coro"
)

// step is what a coroutine of a program does next.
type step int

const (
	yield step = iota
	call       // and wait for it
	start      // a call, and go on
	await
	child
	kinds
)

// program is a number of coroutines, each with its steps.
type program [][]step

// trace runs a program under a seed and returns what was done, in its order.
func (p program) trace(t testing.TB, seed uint64) []string {
	s := newScheduler(t, coro.Config{Seed: seed})
	var trace []string
	note := func(words ...any) { trace = append(trace, fmt.Sprint(words...)) }
	begun := make([]coro.Future[int], len(p))
	var left sync.WaitGroup
	for i, steps := range p {
		left.Add(1)
		s.Spawn(coro.Spec{Job: fmt.Sprint(i % 2), Stage: i / 4}, func(c *coro.Coroutine) error {
			defer left.Done()
			begun[i].Complete(i, nil)
			for k, step := range steps {
				note(i, ".", k, " flag ", c.ShouldYield())
				switch step {
				case yield:
					c.Yield()
				case call:
					coro.Do(c, func() error { note(i, ".", k, " call"); return nil })
				case start:
					left.Add(1)
					coro.Go(c, func() (int, error) { defer left.Done(); note(i, ".", k, " start"); return 0, nil })
				case await:
					coro.Await(c, &begun[(i+1)%len(p)])
				case child:
					left.Add(1)
					c.Scheduler().Spawn(coro.Spec{}, func(*coro.Coroutine) error {
						defer left.Done()
						note(i, ".", k, " child")
						return nil
					})
				}
			}
			return nil
		})
	}
	end := run(s)
	left.Wait()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	return trace
}

func TestSameSeedSameOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, int(kinds)-1), func(i int) step { return step(i) }), 1, 10)
		p := program(rapid.SliceOfN(steps, 1, 8).Draw(rt, "program"))
		seed := rapid.Uint64Min(1).Draw(rt, "seed")
		first := p.trace(t, seed)
		for range 3 {
			if again := p.trace(t, seed); !slices.Equal(first, again) {
				rt.Fatalf("seed %d gave\n%s\nand\n%s", seed, strings.Join(first, "\n"), strings.Join(again, "\n"))
			}
		}
	})
}

// Seeds order coroutines of one queue, calls, and the two among one another in many ways.
func TestSeedsDiffer(t *testing.T) {
	const seeds = 20
	for name, p := range map[string]program{
		"coroutines": {{yield, yield}, {yield, yield}, {yield, yield}},
		"calls":      {{start, start, start, start}},
		"both":       {{start, yield, call}, {call, yield, await}, {child, yield, start}},
	} {
		orders := make(map[string]bool)
		for seed := range uint64(seeds) {
			orders[strings.Join(p.trace(t, seed+1), "\n")] = true
		}
		if len(orders) < seeds/2 {
			t.Errorf("%s: %d seeds gave %d orders", name, seeds, len(orders))
		}
	}
}
