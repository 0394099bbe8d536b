package coro

import (
	"context"
	"iter"
	"sync/atomic"
)

// state is what a coroutine does.
type state uint8

const (
	ready state = iota
	running
	awaiting // parked until a future or Cancel wakes it
	joining  // parked as well; cancelled or not, it parks again until its future is complete
	done
)

func (s state) String() string {
	return [...]string{"ready", "running", "awaiting", "joining", "done"}[s]
}

// Spec names a coroutine and its place in the order.
type Spec struct {
	Name  string // for reports
	Job   string // jobs share the runners equally
	Stage int    // later stages of a job go before earlier ones
}

// Coroutine is a function that gives up its runner where it calls Yield, Await, Join or Do. These belong to that
// function; the other methods may be called from anywhere.
type Coroutine struct {
	scheduler *Scheduler
	name      string
	queue     *stageQueue
	entry     func(*Coroutine) error
	flag      atomic.Bool
	cause     atomic.Pointer[error] // set once, by Cancel
	done      chan struct{}         // closed by whoever sets state to done
	err       error                 // of the entry function; read it after done is closed

	// Guarded by the scheduler's lock.
	state state
	woken bool  // woken while it was running: it must not park
	index int   // in Scheduler.mu.live
	used  int64 // nanoseconds on runners since it last stood behind its equals

	// Passed to and fro with control: the runner writes before it resumes, the coroutine before it gives up.
	next   func() (struct{}, bool) // nil before the first resume
	yield  func(struct{}) bool
	want   state // ready, awaiting or joining: why the coroutine gives up its runner
	forced bool  // it is unwound by force where it gives up next
}

// Spawn creates a coroutine and makes it ready. It may be called from anywhere, at any time; once the context of Run has
// ended, the coroutine is done already, with ErrStopped.
func (s *Scheduler) Spawn(spec Spec, entry func(*Coroutine) error) *Coroutine {
	c := &Coroutine{scheduler: s, name: spec.Name, entry: entry, done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.phase >= draining {
		c.state, c.err = done, ErrStopped
		close(c.done)
		return c
	}
	c.queue = s.mu.queue.join(spec.Job, spec.Stage)
	c.index = len(s.mu.live)
	s.mu.live = append(s.mu.live, c)
	s.mu.queue.push(c, false)
	s.mu.work.Signal()
	return c
}

// Done is closed when the coroutine has ended.
func (c *Coroutine) Done() <-chan struct{} { return c.done }

// Err returns what the entry function returned, once the coroutine has ended: a PanicError or ErrGoexit if it did not
// return, the cause if it was cancelled before it began.
func (c *Coroutine) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Cancel asks the coroutine to end with cause (nil: context.Canceled). The first call counts.
func (c *Coroutine) Cancel(cause error) {
	c.scheduler.mu.Lock()
	defer c.scheduler.mu.Unlock()
	c.cancelLocked(cause)
}

func (c *Coroutine) cancelLocked(cause error) {
	if c.cause.Load() != nil {
		return
	}
	if cause == nil {
		cause = context.Canceled
	}
	c.cause.Store(&cause)
	c.flag.Store(true)
	c.wakeLocked()
}

// wakeLocked makes a parked coroutine ready. What runs looks for itself before it parks, or is kept from parking.
func (c *Coroutine) wakeLocked() {
	switch c.state {
	case running:
		c.woken = true
	case awaiting, joining:
		c.state = ready
		s := c.scheduler
		s.mu.queue.push(c, true)
		s.mu.work.Signal()
		s.lingerLocked()
	}
}

func (c *Coroutine) wake() {
	c.scheduler.mu.Lock()
	defer c.scheduler.mu.Unlock()
	c.wakeLocked()
}

// Flag is up when the coroutine should call Yield soon: its quantum is spent, or it has been cancelled.
func (c *Coroutine) Flag() *atomic.Bool { return &c.flag }

// ShouldYield reports whether the flag is up.
func (c *Coroutine) ShouldYield() bool { return c.flag.Load() }

// Yield lets others run first. It returns the cause if the coroutine has been cancelled, and nil otherwise. A cancelled
// coroutine gives up its turn as well, so that one that overlooks the cause does not keep others from unwinding.
func (c *Coroutine) Yield() error {
	c.giveUp(ready)
	return c.cancelled()
}

// cancelled returns the cause, or nil.
func (c *Coroutine) cancelled() error {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// giveUp hands control to the runner, which puts the coroutine into the state it wants.
func (c *Coroutine) giveUp(want state) {
	c.want = want
	c.yield(struct{}{})
	if c.forced && want != joining {
		c.err = c.cancelled()
		panic(unwinding{})
	}
}

// resume hands control to the coroutine until it gives up, and reports whether it still lives. If its function calls
// runtime.Goexit, then so does next.
func (c *Coroutine) resume() bool {
	if c.next == nil {
		if c.err = c.cancelled(); c.err != nil {
			return false
		}
		c.next, _ = iter.Pull(c.body)
	}
	_, alive := c.next()
	return alive
}

// body is the iterator on which the coroutine stands.
func (c *Coroutine) body(yield func(struct{}) bool) {
	c.yield = yield
	returned := false
	defer rescue(&returned, &c.err)
	c.err = c.entry(c)
	returned = true
}

// Name returns the name that Spec gave it.
func (c *Coroutine) Name() string { return c.name }

// Scheduler returns the scheduler that spawned it.
func (c *Coroutine) Scheduler() *Scheduler { return c.scheduler }
