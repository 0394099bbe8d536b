package schedule

import (
	"cmp"
	"container/heap"
	"fmt"
	"time"

	"fletch/fault"
	"fletch/master/state"
)

// queue is one job: its attempts at work, and which of its tasks can be started.
type queue struct {
	job     *state.Job // the snapshot that it was brought up to; nil once the job has ended, and before it was seen
	rank    int        // by submission
	turn    uint64     // the last decision in which the job had not ended
	running int        // attempts that count
	atWork  map[taskID]*attempt
	lanes   []lane // by stage

	stage int  // where the decision under way looks: later stages have nothing to start
	open  bool // it has found that the stage can be started
}

type taskID struct{ stage, index int }

// update brings the queue up to a snapshot of its job, and begins a decision.
func (q *queue) update(j *state.Job, d *Decision) {
	was := q.job
	q.job = j
	if was == nil {
		q.lanes = make([]lane, len(j.Stages))
	}
	for i, s := range j.Stages {
		if was == nil || was == j {
			break
		}
		// All of a stage that was not planned lies ahead of its lane.
		if s != was.Stages[i] && was.Stages[i].Len() > 0 {
			for t := range s.Changed(was.Stages[i]) {
				q.changed(t, d)
			}
		}
	}
	q.stage, q.open = len(j.Stages), false
}

// changed looks at a task that is not what it was.
func (q *queue) changed(t *state.Task, d *Decision) {
	for a := q.atWork[taskID{t.Stage, t.Index}]; a != nil; a = a.next {
		if !a.counts {
			continue
		}
		if err := q.fence(a); err != nil {
			q.stop(a, err, d)
		}
	}
	q.offer(t.Stage, t.Index)
}

// end stops what runs of a job that has ended.
func (q *queue) end(d *Decision) {
	if q.job == nil {
		return
	}
	q.job, q.lanes = nil, nil
	for _, a := range q.atWork {
		for ; a != nil; a = a.next {
			if a.counts {
				q.stop(a, q.fence(a), d)
			}
		}
	}
}

// judge holds an attempt that has come against the state.
func (q *queue) judge(a *attempt, d *Decision) {
	if err := q.fence(a); err != nil {
		q.stop(a, err, d)
		return
	}
	q.count(a)
}

// fence returns why an attempt runs in vain, nil if it does not.
func (q *queue) fence(a *attempt) error {
	if q.job == nil {
		return fault.As(fault.Fenced, fmt.Errorf("attempt %s runs in vain: its job has ended", a.id))
	}
	return q.job.Fence(a.id)
}

func (q *queue) count(a *attempt) {
	a.counts = true
	q.running++
}

func (q *queue) discount(a *attempt) {
	if a.counts {
		a.counts = false
		q.running--
	}
}

func (q *queue) stop(a *attempt, why error, d *Decision) {
	q.discount(a)
	d.Stops = append(d.Stops, Stop{Worker: a.worker.id, Attempt: a.id, Cause: why})
}

// remove forgets an attempt.
func (q *queue) remove(a *attempt) {
	q.discount(a)
	task := taskID{a.id.Stage, a.id.Task}
	if q.atWork[task] != a {
		before := q.atWork[task]
		for before.next != a {
			before = before.next
		}
		before.next = a.next
	} else if a.next != nil {
		q.atWork[task] = a.next
	} else {
		delete(q.atWork, task)
	}
}

// runs tells whether an attempt of the task is at work that may win it.
func (q *queue) runs(stage, index int) bool {
	a := q.atWork[taskID{stage, index}]
	for a != nil && !a.counts {
		a = a.next
	}
	return a != nil
}

// offer puts a task back into its lane if it can be started, perhaps later.
func (q *queue) offer(stage, index int) {
	if q.job == nil || stage < 0 || stage >= len(q.lanes) || index < 0 || index >= q.lanes[stage].next {
		return // the lane comes to it, or it is none
	}
	if !q.job.Stages[stage].Task(index).Committed && !q.runs(stage, index) {
		heap.Push(&q.lanes[stage].again, index)
	}
}

// take returns the next task to start, nil where there is none.
func (q *queue) take(now time.Time) *state.Task {
	for {
		if q.open {
			if t := q.lanes[q.stage].take(q, q.job.Stages[q.stage], now); t != nil {
				return t
			}
		}
		if q.stage == 0 {
			q.open = false
			return nil
		}
		q.stage--
		q.open = q.startable(q.stage)
	}
}

// startable tells whether pending tasks of a stage may be started.
func (q *queue) startable(stage int) bool {
	s := q.job.Stages[stage]
	return s.Committed < s.Len() && q.job.Runnable(stage)
}

// wake returns when the first task that waits may be tried, zero where none does.
func (q *queue) wake() (at time.Time) {
	for i, s := range q.job.Stages {
		if len(q.lanes[i].waiting) > 0 && q.startable(i) {
			at = earlier(at, q.lanes[i].wake(q, s))
		}
	}
	return at
}

// earlier returns the earlier of two times; a zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// queues is a heap: the job with the fewest running attempts first, then the earliest.
type queues []*queue

func (qs queues) Len() int      { return len(qs) }
func (qs queues) Swap(i, j int) { qs[i], qs[j] = qs[j], qs[i] }
func (qs queues) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(qs[i].running, qs[j].running), cmp.Compare(qs[i].rank, qs[j].rank)) < 0
}

// Push implements heap.Interface.
func (qs *queues) Push(x any) { *qs = append(*qs, x.(*queue)) }

// Pop implements heap.Interface.
func (qs *queues) Pop() any {
	last := (*qs)[len(*qs)-1]
	*qs = (*qs)[:len(*qs)-1]
	return last
}
