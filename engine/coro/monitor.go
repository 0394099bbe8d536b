package coro

import "time"

// report is what the monitor tells of a coroutine whose runner it has replaced.
type report struct {
	name    string
	running time.Duration
}

// monitor raises the flags of coroutines whose quantum is spent and replaces the runners of those that do not come back.
// While no runner is busy it does not wake up.
func (s *Scheduler) monitor() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-s.over:
			return
		}
		pause, reports := s.watch()
		for _, r := range reports {
			if s.config.OnBlocked != nil {
				s.config.OnBlocked(r.name, r.running)
			}
		}
		timer.Reset(pause)
	}
}

// watch looks at each runner once some are busy, and returns how long the monitor may look away: until the earliest
// deadline, and for a quantum at most, as that of a coroutine which begins meanwhile is no nearer.
func (s *Scheduler) watch() (pause time.Duration, reports []report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.busyLocked() && s.mu.phase != ended {
		s.mu.asleep = true
		s.mu.awake.Wait()
	}
	blockedAfter := s.config.BlockedAfter
	if s.mu.phase >= draining {
		blockedAfter = min(blockedAfter, s.config.Grace/4) // so that the others have a runner on which to unwind
	}
	quantum := min(s.config.Quantum, blockedAfter)
	pause = quantum
	now := s.now()
	for i, r := range s.mu.runners {
		if r.current == nil {
			continue
		}
		switch running := time.Duration(now - r.start); {
		case !r.raised && running < quantum:
			pause = min(pause, quantum-running)
		case !r.raised:
			r.raised = true
			r.current.flag.Store(true)
		case running < blockedAfter:
			pause = min(pause, blockedAfter-running)
		default:
			reports = append(reports, report{name: r.current.name, running: running})
			s.mu.runners[i] = s.replaceLocked(r, now)
		}
	}
	return pause, reports
}

func (s *Scheduler) busyLocked() bool {
	for _, r := range s.mu.runners {
		if r.current != nil {
			return true
		}
	}
	return false
}

// replaceLocked gives the permit of a runner whose coroutine does not come back to a new one.
func (s *Scheduler) replaceLocked(blocked *runner, now int64) *runner {
	blocked.chargeLocked(now)
	blocked.surplus = true
	r := &runner{scheduler: s}
	s.wg.Go(r.run)
	return r
}
