package coro

// call is a function that runs beside the coroutine that made it.
type call struct {
	name string             // of that coroutine
	run  func(refuse error) // runs it, or fails it with refuse
}

// callQueue holds the calls that have not returned. Each runs on a goroutine of its own, so that one which ends its
// goroutine harms no other; with a seed they run on the runner.
type callQueue struct {
	waiting ring[*call]
	running map[*call]struct{}
}

func (q *callQueue) empty() bool { return q.waiting.count == 0 && len(q.running) == 0 }

func (s *Scheduler) submit(c *call) {
	s.mu.Lock()
	if s.mu.phase == ended {
		s.mu.Unlock()
		c.run(ErrStopped)
		return
	}
	s.mu.calls.waiting.push(c)
	s.launchLocked()
	s.mu.Unlock()
}

// launchLocked starts as many of the waiting calls as may run.
func (s *Scheduler) launchLocked() {
	if s.mu.random != nil {
		s.mu.work.Signal()
		return
	}
	calls := &s.mu.calls
	for s.mu.phase != created && calls.waiting.count > 0 && len(calls.running) < s.config.IO {
		c := calls.waiting.pop(nil)
		calls.running[c] = struct{}{}
		s.wg.Go(func() { s.serve(c) })
	}
}

// drawLocked decides, with a seed, whether a waiting call runs before the next coroutine, and which.
func (s *Scheduler) drawLocked() *call {
	calls, random := &s.mu.calls, s.mu.random
	if random == nil || calls.waiting.count == 0 || len(s.mu.queue.heap) > 0 && random.IntN(2) == 0 {
		return nil
	}
	c := calls.waiting.pop(random)
	calls.running[c] = struct{}{}
	return c
}

// serve runs a call that has been counted as running. The call may end the goroutine.
func (s *Scheduler) serve(c *call) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.mu.calls.running, c)
		s.launchLocked()
		s.clearLocked()
	}()
	c.run(nil)
}
