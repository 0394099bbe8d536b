package coro

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// phase is how far a scheduler has come; it only ever rises.
type phase uint8

const (
	created phase = iota
	serving
	draining // the context has ended: all coroutines are cancelled, none is created
	closing  // most of the grace is over: who switches once more is unwound by force
	ended    // Run has returned or is about to; what is left ends by itself when it comes back
)

// Scheduler shares a few runners among many coroutines.
type Scheduler struct {
	config Config
	epoch  time.Time     // the zero of now
	over   chan struct{} // closed when phase becomes ended
	clear  chan struct{} // closed when, from draining on, no coroutine lives and no call runs
	wg     sync.WaitGroup

	mu struct {
		sync.Mutex
		phase  phase
		random *rand.Rand // nil without a seed
		queue  runQueue
		live   []*Coroutine // those that have not ended; live[i].index == i
		// runners hold the permits; one that has been replaced is not among them. Idle ones wait for work.
		runners []*runner
		work    sync.Cond
		// asleep says that the monitor waits for awake, since no runner is busy.
		asleep bool
		awake  sync.Cond
		calls  callQueue
	}
}

// New returns a scheduler that starts nothing before Run.
func New(config Config) (*Scheduler, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config.setDefaults()
	s := &Scheduler{config: config, epoch: time.Now(), over: make(chan struct{}), clear: make(chan struct{})}
	s.mu.queue.jobs = make(map[string]*job)
	s.mu.calls.running = make(map[*call]struct{})
	s.mu.work.L = &s.mu
	s.mu.awake.L = &s.mu
	if config.Seed != 0 {
		s.mu.random = rand.New(rand.NewPCG(config.Seed, 0))
	}
	return s, nil
}

// now is the time on the scheduler's clock, nanoseconds.
func (s *Scheduler) now() int64 { return int64(time.Since(s.epoch)) }

// Run serves until ctx ends. It then cancels all coroutines with the context's cause, gives them Config.Grace to unwind,
// joins every goroutine it has started and returns nil; or it returns a StuckError. It may be called once.
func (s *Scheduler) Run(ctx context.Context) error {
	if err := s.start(); err != nil {
		return err
	}
	<-ctx.Done()
	s.drain(context.Cause(ctx))
	grace := time.NewTimer(s.config.Grace * 3 / 4)
	defer grace.Stop()
	select {
	case <-s.clear:
	case <-grace.C:
		s.setPhase(closing)
		grace.Reset(s.config.Grace / 4)
		select {
		case <-s.clear:
		case <-grace.C:
		}
	}
	if stuck := s.end(); len(stuck) > 0 {
		return &StuckError{Grace: s.config.Grace, Names: stuck}
	}
	s.wg.Wait()
	return nil
}

func (s *Scheduler) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.phase != created {
		return errors.New("coro: Run was called before")
	}
	s.mu.phase = serving
	for range s.config.Runners {
		r := &runner{scheduler: s}
		s.mu.runners = append(s.mu.runners, r)
		s.wg.Go(r.run)
	}
	if s.mu.random == nil {
		s.wg.Go(s.monitor)
	}
	s.launchLocked()
	return nil
}

// drain cancels everything and lets nothing new in.
func (s *Scheduler) drain(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.phase = draining
	for _, c := range s.mu.live {
		c.cancelLocked(cause)
	}
	s.clearLocked()
}

// clearLocked tells Run if nothing is left to wait for.
func (s *Scheduler) clearLocked() {
	if s.mu.phase < draining || s.mu.phase == ended || len(s.mu.live) > 0 || !s.mu.calls.empty() {
		return
	}
	select {
	case <-s.clear:
	default:
		close(s.clear)
	}
}

func (s *Scheduler) setPhase(p phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.phase = p
}

// end tells all goroutines to end and returns what will not. A call that has not begun never does.
func (s *Scheduler) end() (stuck []string) {
	s.mu.Lock()
	s.mu.phase = ended
	for _, c := range s.mu.live {
		stuck = append(stuck, fmt.Sprintf("%s (%s)", c.name, c.state))
	}
	for call := range s.mu.calls.running {
		stuck = append(stuck, call.name+" (call)")
	}
	var refused []*call
	for s.mu.calls.waiting.count > 0 {
		refused = append(refused, s.mu.calls.waiting.pop(nil))
	}
	s.lingerLocked()
	s.mu.work.Broadcast()
	s.mu.awake.Broadcast()
	s.mu.Unlock()
	slices.Sort(stuck)
	close(s.over)
	for _, call := range refused {
		call.run(ErrStopped)
	}
	return stuck
}
