package master

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/master/replica"
	"fletch/master/state"
	"fletch/storage"
)

// pay starts what the job's state asks the leader to do. It is done off the loop; the outcome is a command.
func (l *leader) pay(j *job) {
	j.paying = true
	snapshot := j.state
	done := func(o replica.Outcome) { l.paid(j, snapshot, o) }
	if snapshot.Duty == state.DutyCommit {
		l.propose(state.Publish{Job: snapshot.ID, At: time.Now()}, done)
		return
	}
	l.work.Go(func() error {
		var command state.Command
		if snapshot.Duty == state.DutyPlan {
			command = planned(snapshot)
		} else {
			command = l.published(snapshot)
		}
		select {
		case <-l.ctx.Done(): // what the end of the term has cut short is no verdict: the next leader pays
		default:
			l.post(func() { l.propose(command, done) })
		}
		return nil
	})
}

// paid takes the outcome of a duty. One that would be refused again and again, as its command is too large or was made by a
// broken engine, ends the job: snapshot is what it was made from.
func (l *leader) paid(j *job, snapshot *state.Job, o replica.Outcome) {
	if o.Err == nil || fault.ClassOf(o.Err) == fault.Fenced || o.Job != nil && o.Job != snapshot {
		j.paying = false
		return
	}
	abort := state.Abort{Job: snapshot.ID, Class: fault.Permanent, Message: fmt.Sprintf("the job can't go on: %v", o.Err), At: time.Now()}
	l.propose(abort, func(replica.Outcome) { j.paying = false })
}

// planned plans the job's next stages. Before its first ones its outputs are reserved.
func planned(j *state.Job) state.Command {
	abort := func(class fault.Class, err error) state.Command {
		return state.Abort{Job: j.ID, Class: class, Message: err.Error(), At: time.Now()}
	}
	if j.Status == state.Waiting {
		for sink := range outputs(j) {
			if err := storage.Stage(outputID(j.ID, sink), *j.Graph.Nodes[sink].Sink); err != nil {
				return abort(fault.ClassOf(err), fmt.Errorf("%v: %w", &j.Graph.Nodes[sink], err))
			}
		}
	}
	tasks, skip, err := plan.Next(j.Graph, j.Plan(), j.Facts())
	if err != nil {
		return abort(fault.Permanent, err)
	}
	return state.Plan{Job: j.ID, Tasks: tasks, Skip: skip, At: time.Now()}
}

// outputs yields the sinks that the job's stages write.
func outputs(j *state.Job) map[int]bool {
	sinks := map[int]bool{}
	for _, s := range j.Stages {
		for _, id := range s.Outputs {
			if j.Graph.Nodes[id].Kind == plan.Sink {
				sinks[id] = true
			}
		}
	}
	return sinks
}

// outputID names the output of one sink of a job, in storage.
func outputID(job string, sink int) string { return fmt.Sprintf("%s-%d", job, sink) }

// Publishing is tried again, as the decision to publish stands: for publishFor in all, with growing pauses.
const (
	publishFor   = 2 * time.Minute
	publishPause = 100 * time.Millisecond
)

// published publishes the outputs of a job whose commit is decided.
func (l *leader) published(j *state.Job) state.Command {
	ctx, cancel := context.WithTimeout(l.ctx, publishFor)
	defer cancel()
	parts := j.Parts()
	for _, sink := range slices.Sorted(maps.Keys(parts)) {
		err := retry(ctx, func() error {
			o, err := storage.AdoptOutput(outputID(j.ID, sink), *j.Graph.Nodes[sink].Sink)
			if err != nil {
				return err
			}
			return o.Publish(parts[sink])
		})
		if err != nil {
			return state.Abort{Job: j.ID, Class: fault.ClassOf(err), Message: fmt.Sprintf("%v: %v", &j.Graph.Nodes[sink], err), At: time.Now()}
		}
	}
	return state.Published{Job: j.ID, At: time.Now()}
}

// retry calls f until it succeeds, fails in a way that will not pass, or ctx ends.
func retry(ctx context.Context, f func() error) error {
	for pause := publishPause; ; pause = min(2*pause, 5*time.Second) {
		err := f()
		if err == nil || fault.ClassOf(err) != fault.Retryable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// abandon removes what a job that did not succeed has staged. Attempts that are still being stopped may write meanwhile,
// so it is tried for a while; what then stays is reported.
func (l *leader) abandon(j *state.Job) {
	l.work.Go(func() error {
		ctx, cancel := context.WithTimeout(l.ctx, publishFor)
		defer cancel()
		for sink := range outputs(j) {
			err := retry(ctx, func() error {
				o, err := storage.AdoptOutput(outputID(j.ID, sink), *j.Graph.Nodes[sink].Sink)
				if err != nil {
					return err
				}
				return o.Abort()
			})
			if err != nil && l.ctx.Err() == nil {
				l.config.Log.Warn("parts of an output were left behind", "job", j.ID, "output", j.Graph.Nodes[sink].Sink.Path, "error", err)
			}
		}
		return nil
	})
}
