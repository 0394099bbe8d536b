package worker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"fletch/api"
	"fletch/fault"
)

// agent is the state of a worker at work. The loop owns it: everything below is called by the loop, unless it says
// otherwise.
type agent struct {
	*Worker
	ctx   context.Context // of the actors
	group *errgroup.Group // of the actors
	inbox chan func()     // what has happened; unbuffered, never closed
	gone  chan struct{}   // closed when the loop has ended
	link  *link
	meter *meter

	term     uint64 // the highest that a leader has named
	epoch    uint64 // of the latest Welcome; zero before the first
	jobs     map[string]*job
	attempts map[string]*attempt // waiting or running
	outcomes outcomes
	held     map[string]*job // whose committed output it is, by attempt
	checked  map[string]bool // plugins that this program can open, by SHA-256
	fetching map[string]bool // plugins under way
	children map[*child]bool // all executors, the spare among them
	spare    *child          // started, without a job; nil if there is none
	spareAt  time.Time       // when to start the next spare after one has died
	number   int             // of the next directory
}

func newAgent(ctx context.Context, w *Worker, g *errgroup.Group) *agent {
	a := &agent{
		Worker: w, ctx: ctx, group: g, inbox: make(chan func()), gone: make(chan struct{}),
		jobs: map[string]*job{}, attempts: map[string]*attempt{}, held: map[string]*job{}, checked: map[string]bool{},
		fetching: map[string]bool{}, children: map[*child]bool{},
	}
	a.link = newLink(a)
	a.meter = newMeter(a)
	return a
}

// loop serves until the actors' context ends.
func (a *agent) loop() error {
	defer close(a.gone)
	ticks := time.NewTicker(a.config.waits.poll)
	defer ticks.Stop()
	a.keepSpare()
	for {
		select {
		case f := <-a.inbox:
			f()
		case <-ticks.C:
			a.tick(time.Now())
		case <-a.ctx.Done():
			return nil
		}
	}
}

// tick looks after what has a deadline.
func (a *agent) tick(now time.Time) {
	a.checkMemory(now)
	a.checkAttempts(now)
	a.checkLoading(now)
	a.keepSpare()
}

// post has the loop call f, and tells whether it will. It may be called from anywhere but the loop.
func (a *agent) post(f func()) bool {
	select {
	case a.inbox <- f:
		return true
	case <-a.gone:
		return false
	}
}

// ask has the loop call f and returns its result. It may be called from anywhere but the loop.
func ask[T any](a *agent, f func() T) (result T, ok bool) {
	done := make(chan struct{})
	if !a.post(func() { result = f(); close(done) }) {
		return result, false
	}
	<-done
	return result, true
}

// close lets go of what the jobs have left, after the loop and all actors have ended.
func (a *agent) close() error {
	var errs []error
	for _, j := range a.jobs {
		errs = append(errs, j.outputs.end(), j.log.end())
	}
	return errors.Join(errs...)
}

// hello introduces the worker to a leader.
func (a *agent) hello() *api.Hello {
	h := &api.Hello{
		Id: a.ID(), Incarnation: a.incarnation, Cluster: a.dir.identity.Cluster, Address: a.address, Version: a.config.Version,
		Pid: pid, Slots: int32(a.config.Slots), MemoryBytes: a.config.MemoryBytes, Epoch: a.epoch,
	}
	for name := range a.attempts {
		h.Running = append(h.Running, name)
	}
	h.Running = append(h.Running, a.outcomes.names()...)
	for id := range a.jobs {
		h.Jobs = append(h.Jobs, id)
	}
	return h
}

// welcome takes a leader's word for the epoch. What an older one had is dropped.
func (a *agent) welcome(m *api.Welcome) error {
	if m.GetTerm() < a.term {
		return fmt.Errorf("it leads term %d, and there has been a leader of term %d", m.GetTerm(), a.term)
	}
	if err := a.dir.claim("", m.GetCluster()); err != nil {
		return fault.As(fault.Permanent, err)
	}
	a.term = m.GetTerm()
	if a.epoch != 0 && a.epoch != m.GetEpoch() {
		a.config.Log.Warn("declared lost meanwhile: everything is dropped", "epoch", m.GetEpoch(), "before", a.epoch)
		for id := range a.jobs {
			a.endJob(id)
		}
		a.outcomes = outcomes{}
	}
	a.epoch = m.GetEpoch()
	a.outcomes.again()
	return nil
}

// obey carries out what the leader says.
func (a *agent) obey(m *api.MasterMessage) {
	switch m := m.GetMessage().(type) {
	case *api.MasterMessage_Job:
		a.order(m.Job)
	case *api.MasterMessage_Producers:
		a.setProducers(m.Producers)
	case *api.MasterMessage_Start:
		a.start(m.Start)
	case *api.MasterMessage_Stop:
		a.stop(m.Stop)
	case *api.MasterMessage_Done:
		a.done(m.Done)
	case *api.MasterMessage_EndJob:
		a.endJob(m.EndJob.GetJob())
	}
}

// done forgets acknowledged ends, and drops outputs that nobody will read.
func (a *agent) done(m *api.Done) {
	a.outcomes.acknowledge(m.GetAttempts())
	for _, name := range m.GetDropped() {
		if j := a.held[name]; j != nil {
			delete(a.held, name)
			a.warn("drop an output", j.outputs.drop(name))
		}
	}
}

// warn logs an error, if there is one, that changes nothing for anybody.
func (a *agent) warn(doing string, err error) {
	if err != nil {
		a.config.Log.Warn("could not "+doing, "error", err)
	}
}

// directory returns the path of a new directory below work. No other gets the same.
func (a *agent) directory(name string) string {
	a.number++
	return filepath.Join(a.dir.work(), name+"."+strconv.Itoa(a.number))
}
