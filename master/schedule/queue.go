package schedule

import (
	"cmp"
	"container/heap"
	"fmt"
	"time"

	"fletch/fault"
	"fletch/master/state"
)

// queue yields the tasks of one job that can be started, the most urgent first.
type queue struct {
	job     *state.Job
	rank    int // by submission
	running int // attempts, with those that this decision starts
	// busy are the tasks that run anywhere.
	busy map[taskID]bool
	// The tasks of later stages, and of this stage those before from, have been looked at.
	stage, from int
}

type taskID struct{ stage, index int }

// next returns the next task to start, nil where there is none. It notes in d when a task that waits can be tried.
func (q *queue) next(d *Decision, now time.Time) *state.Task {
	for ; q.stage >= 0; q.stage, q.from = q.stage-1, 0 {
		if q.from == 0 && !q.job.Runnable(q.stage) {
			continue
		}
		s := q.job.Stages[q.stage]
		for t := s.NextPending(q.from); t != nil; t = s.NextPending(q.from) {
			q.from = t.Index + 1
			switch {
			case q.busy[taskID{t.Stage, t.Index}]:
			case t.RetryAt.After(now):
				if d.Wake.IsZero() || t.RetryAt.Before(d.Wake) {
					d.Wake = t.RetryAt
				}
			default:
				return t
			}
		}
	}
	return nil
}

// queues is a heap: the job with the fewest running attempts first, then the earliest.
type queues struct {
	order []*queue
	byID  map[string]*queue
}

func newQueues(jobs []*state.Job) *queues {
	qs := &queues{byID: make(map[string]*queue, len(jobs))}
	for i, j := range jobs {
		q := &queue{job: j, rank: i, busy: make(map[taskID]bool), stage: len(j.Stages) - 1}
		qs.order = append(qs.order, q)
		qs.byID[j.ID] = q
	}
	return qs
}

// note counts a running attempt for its job, or returns why it runs in vain.
func (qs *queues) note(id state.AttemptID) error {
	q := qs.byID[id.Job]
	if q == nil {
		return fault.As(fault.Fenced, fmt.Errorf("attempt %s runs in vain: its job has ended", id))
	}
	if err := q.job.Fence(id); err != nil {
		return err
	}
	q.running++
	q.busy[taskID{id.Stage, id.Task}] = true
	return nil
}

func (qs *queues) Len() int      { return len(qs.order) }
func (qs *queues) Swap(i, j int) { qs.order[i], qs.order[j] = qs.order[j], qs.order[i] }
func (qs *queues) Less(i, j int) bool {
	a, b := qs.order[i], qs.order[j]
	return cmp.Or(cmp.Compare(a.running, b.running), cmp.Compare(a.rank, b.rank)) < 0
}

// Push is there for heap.Interface; nothing is pushed.
func (qs *queues) Push(x any) { qs.order = append(qs.order, x.(*queue)) }

func (qs *queues) Pop() any {
	last := qs.order[len(qs.order)-1]
	qs.order = qs.order[:len(qs.order)-1]
	return last
}

// freeWorkers is a heap: the worker with the most free slots first, then by ID.
type freeWorkers []freeWorker

type freeWorker struct {
	id   string
	free int
}

func (f freeWorkers) Len() int      { return len(f) }
func (f freeWorkers) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f freeWorkers) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(f[j].free, f[i].free), cmp.Compare(f[i].id, f[j].id)) < 0
}

// Push is there for heap.Interface; nothing is pushed.
func (f *freeWorkers) Push(x any) { *f = append(*f, x.(freeWorker)) }

func (f *freeWorkers) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}

var _, _ heap.Interface = (*queues)(nil), (*freeWorkers)(nil)
