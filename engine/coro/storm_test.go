package coro_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"fletch/engine/coro"
)

// storm does a random number of random things and ends in a random way.
func storm(c *coro.Coroutine, random *rand.Rand) error {
	var future *coro.Future[int]
	for range random.IntN(20) {
		if c.ShouldYield() {
			if err := c.Yield(); err != nil {
				return err
			}
		}
		switch random.IntN(5) {
		case 0:
			if err := c.Yield(); err != nil {
				return err
			}
		case 1:
			if err := coro.Do(c, func() error { runtime.Gosched(); return nil }); err != nil {
				return err
			}
		case 2:
			future = coro.Go(c, func() (int, error) { runtime.Gosched(); return 1, nil })
		case 3:
			if future != nil {
				if _, err := coro.Await(c, future); err != nil {
					_, _ = coro.Join(c, future)
					return err
				}
			}
		case 4:
			seed := random.Uint64()
			c.Scheduler().Spawn(coro.Spec{Job: "children", Stage: random.IntN(3)}, func(c *coro.Coroutine) error {
				if seed%2 == 0 {
					return c.Yield()
				}
				return nil
			})
		}
	}
	switch random.IntN(10) {
	case 0:
		panic("storm")
	case 1:
		runtime.Goexit()
	}
	return nil
}

// Coroutines of all kinds, spawned and cancelled from several goroutines, all end, and in a way that was asked for.
func TestStorm(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	s := serve(t, coro.Config{Runners: 3, IO: 2, Quantum: 100 * time.Microsecond, BlockedAfter: 200 * time.Microsecond})
	var spawners sync.WaitGroup
	for i := range uint64(4) {
		spawners.Go(func() {
			random := rand.New(rand.NewPCG(seed, i))
			var all []*coro.Coroutine
			for n := range 500 {
				own := rand.New(rand.NewPCG(seed, random.Uint64()))
				spec := coro.Spec{Job: fmt.Sprint(i), Stage: n % 3}
				all = append(all, s.Spawn(spec, func(c *coro.Coroutine) error { return storm(c, own) }))
				if random.IntN(4) == 0 {
					all[random.IntN(len(all))].Cancel(io.EOF)
				}
			}
			for _, c := range all {
				var p *coro.PanicError
				switch err := result(c); {
				case err == nil, err == io.EOF, errors.Is(err, coro.ErrGoexit), errors.As(err, &p) && p.Value == "storm":
				default:
					t.Errorf("%s ended with %v", c.Name(), err)
				}
			}
		})
	}
	spawners.Wait()
}
