package coro_test

import (
	"errors"
	"iter"
	"runtime"
	"testing"

	"fletch/engine/coro"
)

// inCoroutine runs the benchmark's loop inside a coroutine of a scheduler with one runner.
func inCoroutine(b *testing.B, loop func(*coro.Coroutine)) {
	s := serve(b, coro.Config{Runners: 1})
	c := s.Spawn(coro.Spec{Name: "bench"}, func(c *coro.Coroutine) error {
		loop(c)
		return nil
	})
	<-c.Done()
	if c.Err() != nil {
		b.Fatal(c.Err())
	}
}

// BenchmarkYield is one yield with the resume that follows it.
func BenchmarkYield(b *testing.B) {
	inCoroutine(b, func(c *coro.Coroutine) {
		b.ReportAllocs()
		for b.Loop() {
			c.Yield()
		}
	})
}

// BenchmarkYieldAmong is one yield with the resume that follows it where 100 coroutines take turns.
func BenchmarkYieldAmong(b *testing.B) {
	const others = 99
	inCoroutine(b, func(c *coro.Coroutine) {
		over := false
		for range others {
			c.Scheduler().Spawn(coro.Spec{}, func(c *coro.Coroutine) error {
				for !over {
					c.Yield()
				}
				return nil
			})
		}
		rounds := 0
		for b.Loop() {
			if rounds++; rounds%(others+1) == 0 {
				c.Yield()
			}
		}
		over = true
	})
}

// BenchmarkPull is the limit: the two switches of an iterator that does nothing.
func BenchmarkPull(b *testing.B) {
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		for yield(struct{}{}) {
		}
	})
	defer stop()
	for b.Loop() {
		next()
	}
}

// BenchmarkSpawn is a coroutine from its creation to its end.
func BenchmarkSpawn(b *testing.B) {
	s := serve(b, coro.Config{Runners: 1})
	b.ReportAllocs()
	for b.Loop() {
		<-s.Spawn(coro.Spec{}, func(*coro.Coroutine) error { return nil }).Done()
	}
}

// BenchmarkAwait is one call that does nothing, on an I/O goroutine, and the wait for it.
func BenchmarkAwait(b *testing.B) {
	inCoroutine(b, func(c *coro.Coroutine) {
		b.ReportAllocs()
		for b.Loop() {
			if err := coro.Do(c, func() error { return nil }); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkParked measures what a parked coroutine costs, its stack included.
func BenchmarkParked(b *testing.B) {
	const n = 100_000
	s := serve(b, coro.Config{})
	for b.Loop() {
		before := inUse()
		wake := parkMany(s, n)
		b.ReportMetric(float64(inUse()-before)/n, "bytes/coroutine")
		if err := wake(); err != nil {
			b.Error(err)
		}
	}
}

// parkMany returns once n coroutines are about to park. What it returns wakes them and joins their errors.
func parkMany(s *coro.Scheduler, n int) (wake func() error) {
	var future coro.Future[int]
	coroutines := make([]*coro.Coroutine, n)
	parked := make(chan struct{}, n) // each coroutine sends once; nobody closes it
	for i := range coroutines {
		coroutines[i] = s.Spawn(coro.Spec{Name: "parked"}, func(c *coro.Coroutine) error {
			parked <- struct{}{}
			_, err := coro.Await(c, &future)
			return err
		})
	}
	for range n {
		<-parked
	}
	return func() error {
		future.Complete(0, nil)
		var errs []error
		for _, c := range coroutines {
			errs = append(errs, result(c))
		}
		return errors.Join(errs...)
	}
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse + m.MSpanInuse + m.OtherSys
}
