package master

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fletch/api"
	"fletch/fault"
	"fletch/master/replica"
	"fletch/master/schedule"
	"fletch/master/state"
)

// worker is one that the state knows and that is not lost.
type worker struct {
	id      string
	epoch   uint64
	address string // of its shuffle service
	// running are the attempts that were ordered from it, also while it is not connected.
	running    map[state.AttemptID]*attempt
	connection *connection // nil while it is gone
	gone       time.Time   // since when
	losing     bool        // it is proposed that it is lost
}

// view is the worker as the scheduler sees it: one that is gone has no room, but what it runs is not started elsewhere.
func (w *worker) view() schedule.Worker {
	v := schedule.Worker{ID: w.id, Running: make([]state.AttemptID, 0, len(w.running))}
	if w.connection != nil {
		v.Slots = int(w.connection.hello.GetSlots())
	}
	for id := range w.running {
		v.Running = append(v.Running, id)
	}
	return v
}

// connect makes a connection the worker's own, once it is registered. The attempts that it reports count, unless its epoch
// has been raised: then it drops them.
func (l *leader) connect(c *connection) {
	var registered state.Worker
	l.replica.Read(func(s *state.Machine) { registered, _ = s.Worker(c.hello.GetId()) })
	w := l.workers[c.hello.GetId()]
	if w == nil {
		w = &worker{id: c.hello.GetId()}
		l.workers[w.id] = w
	}
	if w.connection != nil {
		l.disconnect(w.connection, errReplaced)
	}
	if w.epoch != registered.Epoch {
		for id := range w.running {
			delete(l.running, id)
		}
		w.running = nil
	}
	known := w.running
	w.epoch, w.address, w.connection, c.worker = registered.Epoch, c.hello.GetAddress(), c, w
	w.running = map[state.AttemptID]*attempt{}
	if c.hello.GetEpoch() == w.epoch {
		for _, name := range c.hello.GetRunning() {
			if id, err := state.ParseAttemptID(name); err == nil {
				l.adopt(w, id, name, known[id])
			}
		}
	}
	// What was ordered and is not reported never arrived, or ended and its end is reported next.
	for id, a := range known {
		if w.running[id] == nil && l.running[id] == a {
			if a.deciding {
				w.running[id] = a
				continue
			}
			delete(l.running, id)
		}
	}
	l.board.Put(w.view())
	delete(l.awaited, w.id)
	c.heard = time.Now()
	c.send(&api.MasterMessage{Message: &api.MasterMessage_Welcome{Welcome: &api.Welcome{
		Cluster: l.config.Cluster, Term: l.term, Epoch: w.epoch,
		HeartbeatMillis: heartbeat.Milliseconds(), SilenceMillis: silence.Milliseconds(),
	}}})
	for _, id := range c.hello.GetJobs() {
		if l.jobs[id] == nil {
			w.endJob(id)
		}
	}
	l.config.Log.Info("worker connected", "worker", w.id, "address", w.address, "epoch", w.epoch, "running", len(w.running))
}

// adopt counts an attempt that a worker reports as running.
func (l *leader) adopt(w *worker, id state.AttemptID, name string, known *attempt) {
	if other := l.running[id]; other != nil && other.worker != w {
		return // ordered from another one; what becomes of it here, the state decides
	}
	if known == nil {
		known = &attempt{id: id, name: name, worker: w}
	}
	w.running[id], l.running[id] = known, known
	if id.Term == l.term {
		l.number = max(l.number, id.Number+1)
	}
}

// disconnect ends a connection. The worker may come back before it is declared lost.
func (l *leader) disconnect(c *connection, why error) {
	c.cancel(why)
	if w := c.worker; w != nil && w.connection == c {
		w.connection, w.gone = nil, time.Now()
		l.board.Put(w.view())
		l.config.Log.Warn("worker disconnected", "worker", w.id, "reason", why)
	}
}

var (
	errSilent   = fault.As(fault.Retryable, errors.New("the worker was silent for too long"))
	errLost     = fault.As(fault.Fenced, errors.New("the worker was declared lost: it has to connect again"))
	errReplaced = fault.As(fault.Fenced, errors.New("the worker has connected again"))
)

// stop orders the end of an attempt, once.
func (w *worker) stop(a *attempt, why error) {
	if w.connection == nil || w.connection.stopped[a.name] {
		return
	}
	w.connection.stopped[a.name] = true
	w.connection.send(&api.MasterMessage{Message: &api.MasterMessage_Stop{Stop: &api.StopOrder{Attempt: a.name, Reason: why.Error()}}})
}

// endJob has the worker let go of a job.
func (w *worker) endJob(id string) {
	if w.connection == nil {
		return // it reports its jobs when it comes back
	}
	delete(w.connection.jobs, id)
	w.connection.send(&api.MasterMessage{Message: &api.MasterMessage_EndJob{EndJob: &api.EndJob{Job: id}}})
}

// status takes the news of a worker.
func (l *leader) status(c *connection, s *api.Heartbeat) {
	c.heard = time.Now()
	if c.worker == nil || c.worker.connection != c {
		return // replaced: what it reports is reported again on the other connection
	}
	for _, p := range s.GetProgress() {
		if id, err := state.ParseAttemptID(p.GetAttempt()); err == nil {
			if a := c.worker.running[id]; a != nil {
				a.rows, a.bytes = p.GetRows(), p.GetBytes()
			}
		}
	}
	for _, e := range s.GetEnded() {
		l.ended(c, e)
	}
}

// ended proposes the end of an attempt, and acknowledges it once it is decided.
func (l *leader) ended(c *connection, e *api.AttemptEnded) {
	id, err := state.ParseAttemptID(e.GetAttempt())
	if err != nil {
		l.config.Log.Error("a worker reports an attempt that is none", "worker", c.worker.id, "attempt", e.GetAttempt())
		c.done(e.GetAttempt(), true)
		return
	}
	a := l.running[id]
	if a == nil || a.worker != c.worker {
		// Its end is known, or another leader ordered it: the state decides. It fills no slot.
		a = &attempt{id: id, name: e.GetAttempt(), worker: c.worker}
	}
	if a.deciding {
		return // it will be acknowledged
	}
	command, err := endOf(a, e)
	if err != nil {
		command = state.Fail{Attempt: id, Worker: a.worker.id, Class: fault.Retryable, Message: err.Error(), At: time.Now()}
	}
	l.decide(a, command)
}

// decide has an attempt's end decided, and acknowledges it.
func (l *leader) decide(a *attempt, command state.Command) {
	a.deciding = true
	outcome := "failed"
	if _, ok := command.(state.Commit); ok {
		outcome = "succeeded"
	}
	l.propose(command, func(o replica.Outcome) {
		if outcome == "succeeded" && o.Err != nil && fault.ClassOf(o.Err) != fault.Fenced {
			// Another attempt would have the same result.
			why := fmt.Sprintf("its result can't be recorded: %v", o.Err)
			l.decide(a, state.Fail{Attempt: a.id, Worker: a.worker.id, Class: fault.Permanent, Message: why, At: time.Now()})
			return
		}
		a.deciding = false
		if l.running[a.id] == a {
			l.forget(a)
		}
		l.metrics.ended.WithLabelValues(outcome).Inc()
		if a.worker.connection != nil {
			a.worker.connection.done(a.name, outcome == "failed" || o.Err != nil)
		}
		if outcome == "failed" && o.Err == nil {
			l.config.Log.Warn("an attempt failed", "attempt", a.name, "worker", a.worker.id, "error", command.(state.Fail).Message)
		}
	})
}

// endOf is the command that an attempt's end asks for.
func endOf(a *attempt, e *api.AttemptEnded) (state.Command, error) {
	if e.GetError() != nil {
		return failOf(a, e.GetError()), nil
	}
	result, err := e.GetResult().Plan()
	if err != nil {
		return nil, err
	}
	return state.Commit{Attempt: a.id, Result: *result, Worker: a.worker.id, Epoch: a.worker.epoch, At: time.Now()}, nil
}

// The caps on what is taken of a failure, so that it fits into an entry of the log whatever the worker sends. Of the text
// the state keeps less still; further lost attempts are found one by one.
const (
	maxFailText = 16 << 10 // bytes
	maxFailLost = 10_000
)

// failOf describes a failure with what its class asks for.
func failOf(a *attempt, e *api.Error) state.Fail {
	f := state.Fail{Attempt: a.id, Worker: a.worker.id, Class: fault.ClassOf(e.Err()), Message: e.GetMessage(), At: time.Now()}
	for _, name := range e.GetLost()[:min(len(e.GetLost()), maxFailLost)] {
		if id, err := state.ParseAttemptID(name); err == nil {
			f.Lost = append(f.Lost, id)
		}
	}
	if e.GetFrames() != "" {
		f.Message += "\n" + e.GetFrames()
	}
	f.Message = f.Message[:min(len(f.Message), maxFailText)]
	return f
}

// connection is one stream of a worker. Its fields but out belong to the leader's loop.
type connection struct {
	hello   *api.Hello
	worker  *worker // once it is registered
	heard   time.Time
	cancel  context.CancelCauseFunc
	jobs    map[string]*sentJob
	stopped map[string]bool // attempts whose stop was ordered
	out     *outbox
}

// sentJob is what a worker has been told of a job.
type sentJob struct {
	producers map[int]uint64 // version by stage
}

func (c *connection) send(m *api.MasterMessage) { c.out.put(m) }

// done acknowledges the end of an attempt; dropped says that nobody will read what it wrote.
func (c *connection) done(attempt string, dropped bool) {
	delete(c.stopped, attempt)
	d := &api.Done{Attempts: []string{attempt}}
	if dropped {
		d.Dropped = d.Attempts
	}
	c.send(&api.MasterMessage{Message: &api.MasterMessage_Done{Done: d}})
}
