package schedule

import (
	"cmp"
	"container/heap"
	"slices"

	"fletch/master/state"
)

// Board holds the workers and what they run, and for each job what can be started. Its owner tells it of workers (Put,
// Remove) and of attempts that have ended (End), and asks it for decisions. It is not safe for concurrent use.
type Board struct {
	workers  map[string]*worker
	free     freeWorkers
	attempts map[state.AttemptID]*attempt
	queues   map[string]*queue // by job: of those that have not ended, and of those that have attempts at work
	turns    uint64            // decisions so far

	// What was told since the last decision, and is looked at by the next one with the jobs at hand: attempts that were
	// put on the board, and those that have left it.
	came, left []*attempt
}

// attempt is one that fills a slot.
type attempt struct {
	id     state.AttemptID
	worker *worker
	next   *attempt // another one of the same task
	// counts says that it may still win, or has won. It is set by the first decision after the attempt has come.
	counts bool
}

// NewBoard returns a board without workers.
func NewBoard() *Board {
	return &Board{workers: make(map[string]*worker), attempts: make(map[state.AttemptID]*attempt), queues: make(map[string]*queue)}
}

// Put replaces all that is known of a worker. One that can't take orders for a while has no slots.
func (b *Board) Put(w Worker) {
	b.Remove(w.ID)
	known := &worker{id: w.ID, slots: w.Slots, place: nowhere}
	b.workers[w.ID] = known
	for _, id := range w.Running {
		if b.attempts[id] == nil {
			b.came = append(b.came, b.add(id, known))
		}
	}
	b.free.settle(known)
}

// Remove forgets a worker and all that it runs.
func (b *Board) Remove(id string) {
	w := b.workers[id]
	if w == nil {
		return
	}
	for _, a := range b.attempts {
		if a.worker == w {
			b.drop(a)
		}
	}
	w.slots = 0
	b.free.settle(w)
	delete(b.workers, id)
}

// End frees the slot of an attempt. One that is not on the board has none.
func (b *Board) End(id state.AttemptID) {
	if a := b.attempts[id]; a != nil {
		b.drop(a)
		b.free.settle(a.worker)
	}
}

func (b *Board) add(id state.AttemptID, w *worker) *attempt {
	q := b.queue(id.Job)
	task := taskID{id.Stage, id.Task}
	a := &attempt{id: id, worker: w, next: q.atWork[task]}
	q.atWork[task], b.attempts[id] = a, a
	w.running++
	return a
}

func (b *Board) drop(a *attempt) {
	delete(b.attempts, a.id)
	a.worker.running--
	b.queues[a.id.Job].remove(a)
	b.left = append(b.left, a)
}

func (b *Board) queue(job string) *queue {
	q := b.queues[job]
	if q == nil {
		q = &queue{atWork: make(map[taskID]*attempt)}
		b.queues[job] = q
	}
	return q
}

// Assign gives free slots to pending tasks: the job with the fewest running attempts is served first, an earlier one
// before a later; within a job a later stage before an earlier one, as it frees what that one wrote; within a stage the
// lowest index. The worker with the most free slots takes the task, but one on which the task has failed only if no other
// has a free slot. A task that runs anywhere is not started again. The jobs are those that have not ended, in the order
// of their submission, in a later snapshot each time. What is started is on the board from then on.
func (b *Board) Assign(jobs []*state.Job, turn Turn) Decision {
	var d Decision
	order := b.look(jobs, &d)
	for b.free.Len() > 0 && order.Len() > 0 {
		q := order[0]
		t := q.take(turn.Now)
		if t == nil {
			heap.Pop(&order)
			continue
		}
		w := b.free.pick(t)
		a := b.add(state.AttemptID{
			Job: q.job.ID, Stage: t.Stage, StageAttempt: t.StageAttempt, Task: t.Index,
			Term: turn.Term, Number: turn.Next + uint64(len(d.Starts)),
		}, w)
		d.Starts = append(d.Starts, Start{Worker: w.id, Attempt: a.id, Task: t.Task})
		q.count(a)
		heap.Fix(&order, 0)
		b.free.settle(w)
	}
	if b.free.Len() > 0 {
		for _, j := range jobs {
			d.Wake = earlier(d.Wake, b.queues[j.ID].wake())
		}
	}
	return d
}

// look brings the queues up to the jobs' snapshots, orders the end of what runs in vain, and returns the queues in the
// order in which they are served.
func (b *Board) look(jobs []*state.Job, d *Decision) queues {
	b.turns++
	order := make(queues, len(jobs))
	for i, j := range jobs {
		q := b.queue(j.ID)
		q.rank, q.turn = i, b.turns
		q.update(j, d)
		order[i] = q
	}
	for id, q := range b.queues {
		if q.turn != b.turns {
			q.end(d)
			if len(q.atWork) == 0 {
				delete(b.queues, id)
			}
		}
	}
	for _, a := range b.came {
		if q := b.queues[a.id.Job]; q != nil && b.attempts[a.id] == a {
			q.judge(a, d)
		}
	}
	for _, a := range b.left {
		if q := b.queues[a.id.Job]; q != nil {
			q.offer(a.id.Stage, a.id.Task)
		}
	}
	b.came, b.left = nil, nil
	slices.SortFunc(d.Stops, func(x, y Stop) int {
		return cmp.Or(cmp.Compare(x.Worker, y.Worker), x.Attempt.Compare(y.Attempt))
	})
	heap.Init(&order)
	return order
}
