package coro

// runner is a goroutine with a permit: it resumes one coroutine at a time.
type runner struct {
	scheduler *Scheduler
	lingers   bool // serves an ended scheduler, until no coroutine is ready
	quits     bool // run returns by itself; otherwise what it called has ended its goroutine

	// Written under the scheduler's lock: by the runner itself, but for the last two, which are the monitor's.
	current *Coroutine
	start   int64 // when current was resumed
	cost    int64 // with a seed: what this resume is charged with, in place of time
	raised  bool  // the flag of current has been raised
	surplus bool  // current has been charged for and the runner replaced: it ends when current comes back
}

// run resumes coroutines until turn has no more.
func (r *runner) run() {
	defer func() {
		if r.quits {
			return
		}
		// runtime.Goexit in a coroutine, or in a call, has taken this goroutine with it: go on in another.
		if r.current != nil {
			r.finish()
		}
		r.scheduler.wg.Go(r.run)
	}()
	for {
		c, call := r.turn()
		switch {
		case call != nil:
			r.scheduler.serve(call)
		case c == nil:
			r.quits = true
			return
		case !c.resume():
			r.finish()
		}
	}
}

// turn settles the coroutine that has come back, if there is one, and gets the runner something to do, for which it
// waits. Both are nil if the runner is to end. Calls are for runners with a seed only.
func (r *runner) turn() (*Coroutine, *call) {
	s := r.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.againLocked() {
		return r.current, nil
	}
	now := s.now()
	if r.current != nil {
		r.settleLocked(now)
	}
	for {
		if r.surplus || s.mu.phase == ended && !r.lingers {
			return nil, nil
		}
		if call := s.drawLocked(); call != nil {
			return nil, call
		}
		if c := s.mu.queue.pop(s.mu.random); c != nil {
			r.startLocked(c, now)
			return c, nil
		}
		if r.lingers {
			return nil, nil
		}
		s.mu.work.Wait()
		now = s.now()
	}
}

// againLocked reports whether a coroutine that has yielded goes on as if it had not, as nobody else is ready. The clock
// is not read for it: it is charged when it stops, and no later than at the first turn after its flag is up.
func (r *runner) againLocked() bool {
	c, s := r.current, r.scheduler
	return c != nil && c.want == ready && len(s.mu.queue.heap) == 0 && !c.flag.Load() &&
		!r.surplus && s.mu.random == nil && s.mu.phase < closing
}

// settleLocked puts a coroutine that has given up the runner where it wants to be, or where it has to be.
func (r *runner) settleLocked(now int64) {
	c, s := r.current, r.scheduler
	r.chargeLocked(now)
	r.current = nil
	if c.want != ready && !c.woken {
		c.state = c.want
		return
	}
	c.state, c.woken = ready, false
	s.mu.queue.push(c, c.want != ready || r.raised)
	if r.surplus {
		s.mu.work.Signal() // this runner does not pick it, as any other would
	}
	s.lingerLocked()
}

func (r *runner) chargeLocked(now int64) {
	if r.surplus {
		return
	}
	if r.scheduler.mu.random == nil {
		r.cost = now - r.start
	}
	r.scheduler.mu.queue.charge(r.current, r.cost)
}

func (r *runner) startLocked(c *Coroutine, now int64) {
	s := r.scheduler
	c.state = running
	c.forced = s.mu.phase >= closing
	if c.flag.Load() && c.cause.Load() == nil {
		c.flag.Store(false)
	}
	r.current, r.start, r.raised = c, now, false
	if s.mu.random != nil {
		quantum := s.config.Quantum.Nanoseconds()
		if r.cost = s.mu.random.Int64N(2 * quantum); r.cost >= quantum {
			c.flag.Store(true)
		}
	}
	if s.mu.asleep {
		s.mu.asleep = false
		s.mu.awake.Signal()
	}
}

// finish takes the current coroutine out: it has ended.
func (r *runner) finish() {
	s, c := r.scheduler, r.current
	now := s.now()
	s.mu.Lock()
	r.chargeLocked(now)
	r.current = nil
	s.mu.queue.leave(c.queue)
	last := s.mu.live[len(s.mu.live)-1]
	s.mu.live[c.index], last.index = last, c.index
	s.mu.live[len(s.mu.live)-1] = nil
	s.mu.live = s.mu.live[:len(s.mu.live)-1]
	c.state = done
	s.clearLocked()
	s.mu.Unlock()
	c.entry, c.next, c.yield = nil, nil, nil
	close(c.done)
}

// lingerLocked sees to it that a coroutine that becomes ready after the end is unwound: the runners have gone, or are
// stuck.
func (s *Scheduler) lingerLocked() {
	if s.mu.phase == ended && len(s.mu.queue.heap) > 0 {
		s.wg.Go((&runner{scheduler: s, lingers: true}).run)
	}
}
