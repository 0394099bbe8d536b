package executor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"fletch/api"
	"fletch/engine/coro"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/shuffle"
	"fletch/worker/attempt"
)

// running is an attempt at work.
type running struct {
	name      string
	coroutine *coro.Coroutine
	cancel    context.CancelCauseFunc // of its context
	log       *attemptLog
	progress  exec.Progress
	told      api.AttemptProgress // what the agent knows of the progress
	steps     int64               // those of the progress that it knows of, as a report has the attempts that have come further
}

// ended is the outcome of an attempt.
type ended struct {
	name   string
	result plan.Result
	err    error
}

// producers are the attempts that the tasks of a stage read, by exchange.
type producers struct {
	version uint64
	of      map[int][]shuffle.Producer
}

// setProducers takes the list of a stage. The one before it is out of date: outputs on it may be lost.
func (j *job) setProducers(m *api.Producers) error {
	if len(m.GetAttempts()) != len(m.GetHolders()) {
		return fmt.Errorf("%d producers with %d holders", len(m.GetAttempts()), len(m.GetHolders()))
	}
	list := make([]shuffle.Producer, len(m.GetAttempts()))
	for i, name := range m.GetAttempts() {
		holder := m.GetHolders()[i]
		if int(holder) >= len(m.GetWorkers()) {
			return fmt.Errorf("producer %s is held by worker %d of %d", name, holder, len(m.GetWorkers()))
		}
		list[i] = shuffle.Producer{Attempt: name, Worker: m.GetWorkers()[holder]}
	}
	of, total := map[int][]shuffle.Producer{}, 0
	for _, x := range m.GetExchanges() {
		if total += len(x.GetAttempts()); total > api.MaxProducers {
			return fmt.Errorf("stage %d reads more than %d outputs", m.GetStage(), api.MaxProducers)
		}
		wrote := make([]shuffle.Producer, len(x.GetAttempts()))
		for i, at := range x.GetAttempts() {
			if int(at) >= len(list) {
				return fmt.Errorf("exchange %d is written by producer %d of %d", x.GetExchange(), at, len(list))
			}
			wrote[i] = list[at]
		}
		of[int(x.GetExchange())] = wrote
	}
	j.producers[int(m.GetStage())] = producers{m.GetVersion(), of}
	return nil
}

// start spawns an attempt. One that can't be what was ordered ends at once.
func (x *executor) start(m *api.StartAttempt) error {
	j, name := x.job, m.GetAttempt()
	if j.running[name] != nil {
		return fmt.Errorf("start attempt %s: it runs already", name)
	}
	task, err := j.task(m)
	if err != nil {
		x.tell(&api.AttemptEnded{Attempt: name, Error: api.ErrorOf(fault.As(fault.Permanent, err))})
		return nil
	}
	r := &running{name: name, log: x.newLog(name)}
	ctx, cancel := context.WithCancelCause(x.serving)
	r.cancel = cancel
	j.running[name] = r
	spec := attempt.Spec{Name: name, Task: *task, Producers: j.producers[task.Stage].of, Log: slog.New(&logHandler{log: r.log}), Progress: &r.progress}
	e := ended{name: name}
	r.coroutine = j.scheduler.Spawn(coro.Spec{Name: name, Job: j.id, Stage: task.Stage}, func(c *coro.Coroutine) error {
		j.attempts.Run(ctx, c, spec, func(result plan.Result, err error) { e.result, e.err = result, err })
		return nil
	})
	// It ends with the coroutine; that of a function that never returns is left behind with it.
	go func() {
		<-r.coroutine.Done()
		if err := r.coroutine.Err(); err != nil && e.err == nil {
			e.err = err // cancelled before it began, or a fault of the engine
		}
		select {
		case x.ended <- e:
		case <-x.serving.Done():
		}
	}()
	return nil
}

// task returns the task of an order, which has to be one of the job's.
func (j *job) task(m *api.StartAttempt) (*plan.Task, error) {
	t, err := m.GetTask().Plan()
	if err != nil {
		return nil, err
	}
	if t.Stage >= len(j.stages) {
		return nil, fmt.Errorf("a task of stage %d: there are %d", t.Stage, len(j.stages))
	}
	s := &j.stages[t.Stage]
	if source := j.graph.Nodes[s.Root].Kind == plan.Source; source != (t.Split != nil) || t.Hi > s.Partitions {
		return nil, fmt.Errorf("a task of stage %d, which begins with %v, can't have the split %v and the partitions [%d, %d)",
			t.Stage, &j.graph.Nodes[s.Root], t.Split, t.Lo, t.Hi)
	}
	if known := j.producers[t.Stage].version; known < m.GetProducers() {
		return nil, fmt.Errorf("a task that reads version %d of its producers: known is %d", m.GetProducers(), known)
	}
	return t, nil
}

// stop cancels an attempt. One that is not there has ended meanwhile, and the agent is about to hear of it.
func (x *executor) stop(m *api.StopAttempt) {
	r := x.job.running[m.GetAttempt()]
	if r == nil {
		return
	}
	cause := fault.As(fault.Cancelled, errors.New(m.GetReason()))
	r.coroutine.Cancel(cause)
	r.cancel(cause)
}

// end tells the agent of an attempt's end.
func (x *executor) end(e ended) {
	r := x.job.running[e.name]
	delete(x.job.running, e.name)
	r.cancel(nil)
	r.log.end()
	m := &api.AttemptEnded{Attempt: e.name}
	if e.err == nil {
		m.Result = api.ResultOf(&e.result)
	} else {
		m.Error = api.ErrorOf(x.job.explain(e.err))
	}
	x.tell(m)
}

func (x *executor) tell(m *api.AttemptEnded) {
	x.out.add(&api.ExecutorMessage{Message: &api.ExecutorMessage_Ended{Ended: m}})
}

// explain says of a full disk where to make room. The class stays: another worker may have room.
func (j *job) explain(err error) error {
	if fault.IsDiskFull(err) {
		return fmt.Errorf("%w: free space for intermediate data in %s on this worker", err, j.dir)
	}
	return err
}

// report tells the agent of attempts that have come further since the last report, and of those that wait for memory of
// others, as who holds it has to come further.
func (x *executor) report() {
	if x.job == nil {
		return
	}
	report := &api.ProgressReport{}
	for _, r := range x.job.running {
		rows, bytes, steps := r.progress.Rows.Load(), r.progress.Bytes.Load(), r.progress.Steps.Load()
		if rows != r.told.Rows || bytes != r.told.Bytes || steps != r.steps || r.progress.Waits.Load() {
			report.Attempts = append(report.Attempts, &api.AttemptProgress{Attempt: r.name, Rows: rows, Bytes: bytes})
		}
	}
	if len(report.Attempts) == 0 || !x.out.addProgress(report) {
		return
	}
	for _, p := range report.Attempts {
		r := x.job.running[p.Attempt]
		r.told.Rows, r.told.Bytes, r.steps = p.Rows, p.Bytes, r.progress.Steps.Load()
	}
}
