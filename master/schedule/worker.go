package schedule

import (
	"cmp"
	"container/heap"
	"slices"

	"fletch/master/state"
)

// worker is one on the board.
type worker struct {
	id      string
	slots   int
	running int // attempts that fill a slot
	place   int // among the free workers, or nowhere
}

const nowhere = -1

func (w *worker) free() int { return w.slots - w.running }

// freeWorkers is a heap of those that have free slots: the one with the most first, then by ID.
type freeWorkers []*worker

// settle puts a worker into its place after a change of its slots or attempts.
func (f *freeWorkers) settle(w *worker) {
	switch free := w.free() > 0; {
	case free && w.place == nowhere:
		heap.Push(f, w)
	case free:
		heap.Fix(f, w.place)
	case w.place != nowhere:
		heap.Remove(f, w.place)
	}
}

// pick returns the worker that should take a task. There is one.
func (f *freeWorkers) pick(t *state.Task) *worker {
	var failed []*worker // on which the task has failed
	for f.Len() > 0 && failedOn(t, (*f)[0].id) {
		failed = append(failed, heap.Pop(f).(*worker))
	}
	var w *worker
	if f.Len() > 0 {
		w = (*f)[0]
	} else {
		w = failed[0]
	}
	for _, back := range failed {
		f.settle(back)
	}
	return w
}

func failedOn(t *state.Task, worker string) bool {
	return slices.ContainsFunc(t.Failures, func(f state.Failure) bool { return f.Worker == worker })
}

func (f freeWorkers) Len() int { return len(f) }

func (f freeWorkers) Swap(i, j int) {
	f[i], f[j] = f[j], f[i]
	f[i].place, f[j].place = i, j
}

func (f freeWorkers) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(f[j].free(), f[i].free()), cmp.Compare(f[i].id, f[j].id)) < 0
}

// Push implements heap.Interface.
func (f *freeWorkers) Push(x any) {
	w := x.(*worker)
	w.place = len(*f)
	*f = append(*f, w)
}

// Pop implements heap.Interface.
func (f *freeWorkers) Pop() any {
	last := (*f)[len(*f)-1]
	last.place = nowhere
	*f = (*f)[:len(*f)-1]
	return last
}
