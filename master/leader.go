package master

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"fletch/master/replica"
	"fletch/master/schedule"
	"fletch/master/state"
)

// leader runs the jobs during one term. Its fields belong to the goroutine of loop, except those that say otherwise;
// others hand it functions by do.
type leader struct {
	*Master
	term uint64
	ctx  context.Context // ends with the term; safe for all
	work *errgroup.Group // what the loop started; joined before the term ends
	// calls are functions for the loop to run; unbuffered, closed by no one.
	calls chan func()

	number  uint64          // of the next attempt
	board   *schedule.Board // the workers and what they run, as below
	workers map[string]*worker
	running map[state.AttemptID]*attempt
	jobs    map[string]*job // those that have not ended, and those that are being let go
	settling
	commands
	expired time.Time // when expire was last called
}

// attempt is one that was ordered and is not known to have ended.
type attempt struct {
	id          state.AttemptID
	name        string
	worker      *worker
	rows, bytes int64
	deciding    bool // its end is proposed
}

// job is what the loop knows of a job besides its state.
type job struct {
	state     *state.Job
	paying    bool               // its duty is being done
	producers map[int]*producers // by stage
}

const (
	// tickEvery is how often the loop looks for silent and lost workers.
	tickEvery = 250 * time.Millisecond
	heartbeat = time.Second
	// silence is after how long without a message a connection is given up.
	silence = 4 * time.Second
	// drained bounds the calls that are run before the loop looks at the jobs again.
	drained = 4096
)

// lead runs the jobs until ctx ends with the term.
func (m *Master) lead(ctx context.Context, term uint64) error {
	l := &leader{
		Master: m, term: term, calls: make(chan func()), board: schedule.NewBoard(),
		workers: map[string]*worker{}, running: map[state.AttemptID]*attempt{}, jobs: map[string]*job{}, settling: newSettling(time.Now()),
	}
	l.work, l.ctx = errgroup.WithContext(ctx)
	m.config.Log.Info("leading", "term", term)
	m.metrics.leads.Set(1)
	m.metrics.term.Set(float64(term))
	m.leading.Store(l)
	err := l.loop()
	m.leading.Store(nil)
	m.metrics.leads.Set(0)
	m.metrics.workers.Set(0)
	m.metrics.running.Set(0)
	err = errors.Join(err, l.work.Wait())
	m.config.Log.Info("no longer leading", "term", term)
	select {
	case <-ctx.Done(): // which is no failure of the master
		return nil
	default:
		return err
	}
}

// loop owns the leader.
func (l *leader) loop() error {
	l.begin()
	ticks := time.NewTicker(tickEvery)
	defer ticks.Stop()
	for {
		changed := l.replica.Changed()
		wake := l.step()
		select {
		case f := <-l.calls:
			f()
			l.drain()
		case <-changed:
		case <-wake:
		case <-ticks.C:
			l.expire()
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
	}
}

// drain runs the calls that wait already, so that a step serves many of them.
func (l *leader) drain() {
	for range drained {
		select {
		case f := <-l.calls:
			f()
		default:
			return
		}
	}
}

// do runs f on the loop and waits until it has. Its error means that the term has ended, or ctx, and f may not have run.
func (l *leader) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	call := func() {
		defer close(done)
		f()
	}
	select {
	case l.calls <- call:
	case <-l.ctx.Done():
		return l.notLeader()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-done:
		return nil
	case <-l.ctx.Done():
		return l.notLeader()
	}
}

// post is do for what the loop has started itself: it doesn't wait.
func (l *leader) post(f func()) {
	select {
	case l.calls <- f:
	case <-l.ctx.Done():
	}
}

// begin takes over what the state says of workers and of jobs that have just ended.
func (l *leader) begin() {
	now := time.Now()
	l.replica.Read(func(s *state.Machine) {
		for _, w := range s.Workers() {
			if !w.Lost {
				l.workers[w.ID] = &worker{id: w.ID, epoch: w.Epoch, address: w.Address, gone: now}
				l.board.Put(l.workers[w.ID].view())
				l.awaited[w.ID] = true
			}
		}
		for _, j := range s.Jobs() {
			if j.Status.Ended() && j.Status != state.Succeeded {
				l.abandon(j)
			}
		}
	})
}

// step does what the state asks for: duties, the end of jobs, starts and stops. The channel fires when a task may be
// tried again.
func (l *leader) step() <-chan time.Time {
	active := l.activeJobs()
	for _, s := range active {
		if j := l.jobs[s.ID]; !j.paying && s.Duty != state.NoDuty {
			l.pay(j)
		}
	}
	wake := l.assign(active)
	l.flush()
	l.metrics.running.Set(float64(len(l.running)))
	return wake
}

// activeJobs takes the snapshots of the jobs that have not ended, in the order of submission, and lets go of the others.
// Until the next call l.jobs has these very snapshots: what one step decides it decides about one state, although commands
// are applied meanwhile.
func (l *leader) activeJobs() (active []*state.Job) {
	l.replica.Read(func(s *state.Machine) {
		active = s.Active()
		for id, j := range l.jobs {
			j.state = s.Job(id)
		}
	})
	for _, a := range active {
		if l.jobs[a.ID] == nil {
			l.jobs[a.ID] = &job{producers: map[int]*producers{}}
		}
		l.jobs[a.ID].state = a
	}
	if len(l.jobs) > len(active) {
		for id, j := range l.jobs {
			// What a duty has staged is there once it has come to its end.
			if !j.paying && (j.state == nil || j.state.Status.Ended()) {
				l.letGo(id, j)
			}
		}
	}
	return active
}

// letGo ends what is left of a job on the workers and, unless it was published, in its outputs.
func (l *leader) letGo(id string, j *job) {
	delete(l.jobs, id)
	for _, w := range l.workers {
		w.endJob(id)
	}
	for a, r := range l.running {
		if a.Job == id {
			l.forget(r)
		}
	}
	if j.state != nil {
		l.config.Log.Info("job ended", "job", id, "state", j.state.Status.String(), "error", j.state.Err())
		if j.state.Status != state.Succeeded {
			l.abandon(j.state)
		}
	}
}

// forget drops an attempt that fills a slot.
func (l *leader) forget(a *attempt) {
	delete(l.running, a.id)
	delete(a.worker.running, a.id)
	l.board.End(a.id)
}

// assign starts and stops attempts of the jobs that activeJobs has returned.
func (l *leader) assign(active []*state.Job) <-chan time.Time {
	now := time.Now()
	if !l.over(now) {
		return time.After(l.until.Sub(now))
	}
	d := l.board.Assign(active, schedule.Turn{Now: now, Term: l.term, Next: l.number})
	for _, s := range d.Starts {
		l.start(s)
	}
	for _, s := range d.Stops {
		if r := l.running[s.Attempt]; r != nil {
			r.worker.stop(r, s.Cause)
		}
	}
	if d.Wake.IsZero() {
		return nil
	}
	return time.After(d.Wake.Sub(now))
}

// expire gives up connections that are silent and declares workers lost that have been gone for too long.
func (l *leader) expire() {
	now := time.Now()
	late := now.Sub(l.expired) > silence/2
	if l.expired = now; late {
		return // the loop itself was held up: what workers have sent meanwhile comes first
	}
	connected := 0
	for _, w := range l.workers {
		switch {
		case w.connection != nil && now.Sub(w.connection.heard) > silence:
			l.config.Log.Warn("a worker is silent", "worker", w.id, "for", now.Sub(w.connection.heard).Round(time.Millisecond))
			l.disconnect(w.connection, errSilent)
		case w.connection != nil:
			connected++
		case !w.losing && now.Sub(w.gone) > l.config.LostAfter:
			l.lose(w)
		}
	}
	l.metrics.workers.Set(float64(connected))
}

// lose has a worker declared lost: what it ran and what only it held runs elsewhere.
func (l *leader) lose(w *worker) {
	w.losing = true
	l.config.Log.Warn("a worker is lost: its tasks run elsewhere", "worker", w.id, "gone", time.Since(w.gone).Round(time.Second))
	l.propose(state.Lose{Worker: w.id, Epoch: w.epoch, At: time.Now()}, func(o replica.Outcome) {
		w.losing = false
		if o.Err != nil {
			return // another incarnation of it has come meanwhile
		}
		if w.connection != nil { // it has come back, too late: what it does in the epoch that is over is refused
			l.disconnect(w.connection, errLost)
		}
		for _, a := range w.running {
			delete(l.running, a.id)
		}
		delete(l.workers, w.id)
		delete(l.awaited, w.id)
		l.board.Remove(w.id)
	})
}
