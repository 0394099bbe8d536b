package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"fletch/engine/coro"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/master/schedule"
	"fletch/master/state"
	"fletch/report"
	"fletch/shuffle"
	"fletch/storage"
	"fletch/worker/attempt"
)

// loop is the one goroutine that owns the job's state: it applies commands, pays the job's duties, starts attempts and
// hears of their ends.
type loop struct {
	*prepared
	machine    *state.Machine
	board      *schedule.Board
	outputs    map[int]storage.Output
	scheduler  *coro.Scheduler
	attempts   *attempt.Job
	watch      func(report.Job)
	started    time.Time
	startedCPU time.Duration

	number  uint64 // of the next attempt
	running map[state.AttemptID]*running
	ended   chan ended                // room for every attempt that runs; never closed
	causes  map[state.AttemptID]error // of the attempts that failed
}

// running is an attempt at work.
type running struct {
	id        state.AttemptID
	coroutine *coro.Coroutine
	progress  exec.Progress
	cancel    context.CancelCauseFunc
}

// ended is the outcome of an attempt.
type ended struct {
	id     state.AttemptID
	result plan.Result
	err    error
}

const (
	watchEvery = 100 * time.Millisecond
	// unwindWait is how long a cancelled attempt may take to come back before it is left behind.
	unwindWait = 2 * time.Second
)

func (l *loop) loop(ctx context.Context) error {
	err := l.apply(state.Submit{
		ID: l.id, Graph: l.graph, Splits: l.splits, At: time.Now(),
		Settings: state.Settings{Partitions: l.config.Partitions, MaxUser: 1},
	})
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	cancelled := ctx.Done()
	for err == nil && !l.job().Status.Ended() {
		if l.job().Duty != state.NoDuty {
			err = l.pay()
			continue
		}
		wake := l.assign(ctx)
		select {
		case e := <-l.ended:
			err = l.end(e)
		case <-wake:
		case <-ticks.C:
			l.show()
		case <-cancelled:
			cancelled = nil
			err = l.apply(state.Cancel{Job: l.id, Reason: context.Cause(ctx).Error(), At: time.Now()})
		}
	}
	l.unwind()
	l.show()
	if err != nil {
		return err
	}
	return l.outcome()
}

// outcome returns why the job did not succeed: the error of the attempt that ended it, with all that it wraps, where
// there is one.
func (l *loop) outcome() error {
	job := l.job()
	if job.Failure != nil && l.causes[job.Failure.Attempt] != nil {
		return l.causes[job.Failure.Attempt]
	}
	return job.Err()
}

func (l *loop) job() *state.Job { return l.machine.Job(l.id) }

func (l *loop) apply(c state.Command) error {
	_, err := l.machine.Apply(c)
	return err
}

// pay does what the job needs besides attempts.
func (l *loop) pay() error {
	job := l.job()
	switch job.Duty {
	case state.DutyPlan:
		tasks, skip, err := plan.Next(job.Graph, job.Plan(), job.Facts())
		if err != nil {
			return l.apply(state.Abort{Job: l.id, Class: fault.Permanent, Message: err.Error(), At: time.Now()})
		}
		return l.apply(state.Plan{Job: l.id, Tasks: tasks, Skip: skip, At: time.Now()})
	case state.DutyCommit:
		return l.apply(state.Publish{Job: l.id, At: time.Now()})
	default:
		parts := job.Parts()
		for _, sink := range slices.Sorted(maps.Keys(parts)) {
			if err := l.outputs[sink].Publish(parts[sink]); err != nil {
				message := fmt.Sprintf("%v: %v", &job.Graph.Nodes[sink], err)
				return l.apply(state.Abort{Job: l.id, Class: fault.ClassOf(err), Message: message, At: time.Now()})
			}
		}
		return l.apply(state.Published{Job: l.id, At: time.Now()})
	}
}

// assign starts and stops attempts. The channel fires when a failed task may be tried again; it is nil where none waits.
func (l *loop) assign(ctx context.Context) <-chan time.Time {
	now := time.Now()
	d := l.board.Assign(l.machine.Active(), schedule.Turn{Now: now, Term: 1, Next: l.number})
	for _, s := range d.Starts {
		l.start(ctx, s)
	}
	for _, s := range d.Stops {
		l.stop(l.running[s.Attempt], s.Cause)
	}
	if d.Wake.IsZero() {
		return nil
	}
	return time.After(d.Wake.Sub(now))
}

// start spawns an attempt.
func (l *loop) start(ctx context.Context, s schedule.Start) {
	l.number = s.Attempt.Number + 1
	r := &running{id: s.Attempt}
	ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	name := s.Attempt.String()
	spec := attempt.Spec{
		Name: name, Task: s.Task, Progress: &r.progress,
		Producers: map[int][]shuffle.Producer{},
		Log:       l.config.Log.With("job", l.id, "stage", s.Attempt.Stage, "task", s.Attempt.Task, "attempt", s.Attempt.Number),
	}
	for exchange, producers := range l.job().Producers(s.Task.Stage) {
		for _, p := range producers {
			spec.Producers[exchange] = append(spec.Producers[exchange], shuffle.Producer{Attempt: p.Attempt.String()})
		}
	}
	l.running[s.Attempt] = r
	e := ended{id: s.Attempt}
	r.coroutine = l.scheduler.Spawn(coro.Spec{Name: name, Job: l.id, Stage: s.Attempt.Stage}, func(c *coro.Coroutine) error {
		l.attempts.Run(ctx, c, spec, func(result plan.Result, err error) { e.result, e.err = result, err })
		return nil
	})
	// It ends with the coroutine; that of a function that never returns is left behind with it.
	go func() {
		<-r.coroutine.Done()
		if err := r.coroutine.Err(); err != nil && e.err == nil {
			e.err = err // cancelled before it began, or a fault of the engine
		}
		l.ended <- e
	}()
}

func (l *loop) stop(r *running, cause error) {
	r.coroutine.Cancel(cause)
	r.cancel(cause)
}

// end applies the outcome of an attempt.
func (l *loop) end(e ended) error {
	l.running[e.id].cancel(nil)
	delete(l.running, e.id)
	l.board.End(e.id)
	if e.err != nil {
		e.err = l.temporary(e.err)
		l.causes[e.id] = e.err
		if class := fault.ClassOf(e.err); class == fault.Retryable || class == fault.FetchFailed {
			l.config.Log.Warn("an attempt failed", "attempt", e.id, "class", class, "error", e.err)
		}
		return refused(l.apply(l.failure(e)))
	}
	return refused(l.apply(state.Commit{Attempt: e.id, Result: e.result, At: time.Now()}))
}

// temporary makes trouble with the directory for intermediate data permanent: every attempt needs the same one.
func (l *loop) temporary(err error) error {
	class, dir := fault.ClassOf(err), l.attempts.TempDir
	if fault.IsDiskFull(err) {
		return fault.As(fault.Permanent, fmt.Errorf("%w: free space in %s, or choose another directory for intermediate data (--tmp)", err, l.config.TempDir))
	}
	if class != fault.Retryable && class != fault.FetchFailed {
		return err
	}
	if _, gone := os.Stat(dir); errors.Is(gone, fs.ErrNotExist) {
		return fault.As(fault.Permanent, fmt.Errorf("the directory for intermediate data, %s, was removed while the job ran: %w", dir, err))
	}
	return err
}

// refused drops the error of a command that came too late, which is no failure of the loop.
func refused(err error) error {
	if fault.ClassOf(err) == fault.Fenced {
		return nil
	}
	return err
}

// failure describes a failed attempt, with the producers whose blocks it could not read.
func (l *loop) failure(e ended) state.Fail {
	f := state.Fail{Attempt: e.id, Class: fault.ClassOf(e.err), Message: e.err.Error(), At: time.Now()}
	if lost, ok := errors.AsType[*shuffle.LostError](e.err); ok {
		for _, attempt := range lost.Attempts {
			if id, err := state.ParseAttemptID(attempt); err == nil {
				f.Lost = append(f.Lost, id)
			}
		}
	}
	return f
}

// unwind cancels what still runs and waits for it; what does not come back in time is left behind.
func (l *loop) unwind() {
	for _, r := range l.running {
		l.stop(r, context.Canceled)
	}
	late := time.NewTimer(unwindWait)
	defer late.Stop()
	for len(l.running) > 0 {
		select {
		case e := <-l.ended:
			l.running[e.id].cancel(nil)
			delete(l.running, e.id)
		case <-late.C:
			return
		}
	}
}

func (l *loop) show() {
	if l.watch != nil {
		l.watch(l.view())
	}
}
