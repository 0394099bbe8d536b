package state

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"fletch/engine/plan"
	"fletch/fault"
)

// Commit reports an attempt that has finished. The first commit of a task wins; the output of an attempt that is
// refused must be discarded. A winner whose result does not fit its task was made by a broken engine: it is refused and
// fails the job.
type Commit struct {
	Attempt AttemptID
	Result  plan.Result // its Counters are kept: they must not change any more
	// Worker ran the attempt and holds its blocks, in its epoch Epoch: it is refused in a later one. Both are zero in one
	// process.
	Worker string
	Epoch  uint64
	At     time.Time
}

func (c Commit) apply(m *Machine) (Outcome, error) {
	return m.change(c.Attempt.Job, func(j *Job) (*Job, error) { return c.change(j, m.workers) })
}

func (c Commit) change(j *Job, ws workers) (*Job, error) {
	t := j.task(c.Attempt)
	if t != nil && t.Committed && t.Winner == c.Attempt {
		return j, nil
	}
	if err := cmp.Or(j.fence(t, c.Attempt), ws.fence(Holder{c.Worker, c.Epoch})); err != nil {
		return j, err
	}
	s := j.Stages[c.Attempt.Stage]
	if err := j.checkResult(s, t, c.Result); err != nil {
		failed, err := Fail{Attempt: c.Attempt, Worker: c.Worker, Class: fault.Permanent, Message: err.Error(), At: c.At}.change(j, ws)
		return failed, cmp.Or(err, failed.Fence(c.Attempt))
	}
	if !t.Measured {
		j = j.measure(c.Result.Shuffles)
	}
	// The state's own copies of names: those of a decoded command would take memory for each task.
	c.Attempt.Job, c.Worker = j.ID, ws[c.Worker].ID
	return j.win(t, &c), nil
}

// checkResult holds a result against what the stage's task must write: each exchange with all its partitions, and for
// each sink a part of each of the task's partitions. What is missing here would be missing in the output.
func (j *Job) checkResult(s *Stage, t *Task, r plan.Result) error {
	var sinks, exchanges, partitions []int
	for i, out := range s.Outputs {
		if j.Graph.Nodes[out].Kind == plan.Sink {
			sinks = append(sinks, out)
		} else {
			exchanges, partitions = append(exchanges, out), append(partitions, s.OutputPartitions[i])
		}
	}
	ok := len(r.Shuffles) == len(exchanges)
	shuffles := slices.SortedFunc(slices.Values(r.Shuffles), byExchange)
	for i := 0; ok && i < len(exchanges); i++ {
		out := shuffles[i]
		ok = out.Exchange == exchanges[i] && len(out.Bytes) == partitions[i] && slices.Min(out.Bytes) >= 0
	}
	if !ok {
		return fmt.Errorf("its shuffle output does not cover the exchanges %v and their partitions once each", exchanges)
	}
	lo, hi := t.Lo, t.Hi
	if t.Split != nil {
		lo, hi = t.Index, t.Index+1
	}
	ok = len(r.Parts) == len(sinks)*(hi-lo)
	parts := slices.SortedFunc(slices.Values(r.Parts), bySink)
	for i := 0; ok && i < len(parts); i++ {
		ok = parts[i].Sink == sinks[i/(hi-lo)] && parts[i].Partition == lo+i%(hi-lo)
	}
	if !ok {
		return fmt.Errorf("its parts do not cover the sinks %v and the partitions [%d, %d) once each", sinks, lo, hi)
	}
	return nil
}

func byExchange(a, b plan.ShuffleOutput) int { return cmp.Compare(a.Exchange, b.Exchange) }

func bySink(a, b plan.Part) int {
	return cmp.Or(cmp.Compare(a.Sink, b.Sink), cmp.Compare(a.Partition, b.Partition))
}

// win makes the attempt the winner of task t.
func (j *Job) win(t *Task, c *Commit) *Job {
	won := *t
	won.Committed, won.Measured, won.Winner, won.Holder = true, true, c.Attempt, Holder{c.Worker, c.Epoch}
	won.Parts = slices.SortedFunc(slices.Values(c.Result.Parts), bySink)
	won.Counters, won.Metrics = c.Result.Counters, c.Result.Metrics
	stage := *j.Stages[t.Stage]
	stage.tasks = stage.tasks.set(t.Index, &won)
	stage.Committed++
	stage.Metrics.Add(won.Metrics)
	if stage.Complete() {
		stage.Finished = c.At
	}
	return j.with(&stage)
}
