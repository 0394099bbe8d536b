package coro

import (
	"sync"
	"sync/atomic"
)

// Future is a value that will be there later. The zero Future is one that Complete completes.
type Future[T any] struct {
	gate  gate
	value T     // read after the gate is open
	err   error // likewise
}

// Complete gives the future its value and wakes who waits for it. It may be called from anywhere, and once.
func (f *Future[T]) Complete(value T, err error) {
	for _, c := range f.set(value, err) {
		c.wake()
	}
}

// set returns the coroutines to wake.
func (f *Future[T]) set(value T, err error) []*Coroutine {
	f.gate.mu.Lock()
	defer f.gate.mu.Unlock()
	if f.gate.open.Load() {
		panic("coro: a future was completed twice")
	}
	f.value, f.err = value, err
	f.gate.open.Store(true)
	waiting := f.gate.mu.waiting
	f.gate.mu.waiting = nil
	return waiting
}

// call runs fn and completes the future with what it returns, or with what keeps it from returning.
func (f *Future[T]) call(fn func() (T, error)) {
	var value T
	var err error
	returned := false
	defer func() { f.Complete(value, err) }()
	defer rescue(&returned, &err)
	value, err = fn()
	returned = true
}

// Go runs fn, which may block, beside the coroutine, on an I/O goroutine as soon as one is free. Whatever becomes of the
// coroutine, fn runs once, unless the scheduler ends before: the future then fails with ErrStopped.
func Go[T any](c *Coroutine, fn func() (T, error)) *Future[T] {
	f := new(Future[T])
	c.scheduler.submit(&call{name: c.name, run: func(refused error) {
		if refused != nil {
			var none T
			f.Complete(none, refused)
			return
		}
		f.call(fn)
	}})
	return f
}

// Await parks the coroutine until f is complete, and returns its value and error; or the cause, as soon as the coroutine
// is cancelled. What runs for f is then still running: Join, in a defer, before memory or files that it uses are let go.
func Await[T any](c *Coroutine, f *Future[T]) (T, error) {
	if err := c.await(&f.gate); err != nil {
		var none T
		return none, err
	}
	return f.value, f.err
}

// Join is Await that Cancel does not end.
func Join[T any](c *Coroutine, f *Future[T]) (T, error) {
	for !f.gate.enter(c) {
		c.giveUp(joining)
	}
	return f.value, f.err
}

// Do runs fn as Go does and awaits it. If it returns the cause, fn is still to run or running.
func Do(c *Coroutine, fn func() error) error {
	_, err := Await(c, Go(c, func() (struct{}, error) { return struct{}{}, fn() }))
	return err
}

// gate opens once. Coroutines wait before it.
type gate struct {
	open atomic.Bool
	mu   struct {
		sync.Mutex
		waiting []*Coroutine // to be woken; who has gone away since does not mind
	}
}

// enter reports whether the gate is open, and if not, has c woken when it opens.
func (g *gate) enter(c *Coroutine) bool {
	if g.open.Load() {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open.Load() {
		return true
	}
	g.mu.waiting = append(g.mu.waiting, c)
	return false
}

// await returns nil once the gate is open, or the cause. Who is cancelled already gives up a turn, as in Yield.
func (c *Coroutine) await(g *gate) error {
	want := awaiting
	if c.cancelled() != nil {
		want = ready
	}
	for !g.enter(c) {
		c.giveUp(want)
		if cause := c.cancelled(); cause != nil && !g.open.Load() {
			return cause
		}
	}
	return nil
}
