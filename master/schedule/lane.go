package schedule

import (
	"cmp"
	"container/heap"
	"time"

	"fletch/master/state"
)

// lane is the order in which the tasks of one stage are started. Invariant: every task before next that is pending and
// does not run stands in again or in waiting. Either may hold others as well, and some twice: what comes out is checked.
type lane struct {
	next    int     // the tasks from here on were not looked at
	again   indexes // those before that failed, lost their output, or whose attempt has gone
	waiting waits   // those before that must wait after a failure
}

// take returns the next task to start, nil where there is none.
func (l *lane) take(q *queue, s *state.Stage, now time.Time) *state.Task {
	for len(l.waiting) > 0 && !early(l.waiting[0].until, now) {
		heap.Push(&l.again, heap.Pop(&l.waiting).(wait).index)
	}
	for {
		t := l.pop(s)
		switch {
		case t == nil:
			return nil
		case t.Committed || q.runs(t.Stage, t.Index):
		case early(t.RetryAt, now):
			heap.Push(&l.waiting, wait{t.RetryAt, t.Index})
		default:
			return t
		}
	}
}

// early tells whether a task has to wait until a time. One that is further ahead than any pause was written by a master
// whose clock was wrong, or this one's is: nobody waits for that.
func early(until, now time.Time) bool {
	return until.After(now) && until.Sub(now) <= state.LongestPause
}

func (l *lane) pop(s *state.Stage) *state.Task {
	if len(l.again) > 0 {
		return s.Task(heap.Pop(&l.again).(int))
	}
	t := s.NextPending(l.next)
	if l.next = s.Len(); t != nil {
		l.next = t.Index + 1
	}
	return t
}

// wake returns when the first task that waits may be tried.
func (l *lane) wake(q *queue, s *state.Stage) time.Time {
	for ; len(l.waiting) > 0; heap.Pop(&l.waiting) {
		w := l.waiting[0]
		if t := s.Task(w.index); !t.Committed && !q.runs(t.Stage, t.Index) && t.RetryAt.Equal(w.until) {
			return w.until
		}
	}
	return time.Time{}
}

// indexes is a heap of tasks: the lowest index first.
type indexes []int

func (x indexes) Len() int           { return len(x) }
func (x indexes) Swap(i, j int)      { x[i], x[j] = x[j], x[i] }
func (x indexes) Less(i, j int) bool { return x[i] < x[j] }

// Push implements heap.Interface.
func (x *indexes) Push(i any) { *x = append(*x, i.(int)) }

// Pop implements heap.Interface.
func (x *indexes) Pop() any {
	last := (*x)[len(*x)-1]
	*x = (*x)[:len(*x)-1]
	return last
}

// wait is a task that must not be tried before a time.
type wait struct {
	until time.Time
	index int
}

// waits is a heap: the earliest first.
type waits []wait

func (w waits) Len() int      { return len(w) }
func (w waits) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w waits) Less(i, j int) bool {
	return cmp.Or(w[i].until.Compare(w[j].until), cmp.Compare(w[i].index, w[j].index)) < 0
}

// Push implements heap.Interface.
func (w *waits) Push(x any) { *w = append(*w, x.(wait)) }

// Pop implements heap.Interface.
func (w *waits) Pop() any {
	last := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return last
}
