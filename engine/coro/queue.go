package coro

import (
	"math/rand/v2"
	"slices"
	"time"
)

// stretch is how long a coroutine goes before its equals: what it has begun, such as a table, is in the caches and takes
// memory, and each of them that begins meanwhile takes as much again.
const stretch = time.Second

// ring is a first-in-first-out queue.
type ring[T any] struct {
	items []T // its length is a power of two, or zero
	head  int
	count int
}

func (r *ring[T]) push(v T) {
	if r.count == len(r.items) {
		r.grow()
	}
	r.items[(r.head+r.count)&(len(r.items)-1)] = v
	r.count++
}

// unshift adds v as if it were the oldest.
func (r *ring[T]) unshift(v T) {
	if r.count == len(r.items) {
		r.grow()
	}
	r.head = (r.head - 1) & (len(r.items) - 1)
	r.items[r.head] = v
	r.count++
}

func (r *ring[T]) grow() {
	items := make([]T, max(8, 2*len(r.items)))
	n := copy(items, r.items[r.head:])
	copy(items[n:], r.items[:r.head])
	r.items, r.head = items, 0
}

// pop removes the oldest item. With a generator it removes any, and the oldest takes the place of that one.
func (r *ring[T]) pop(random *rand.Rand) T {
	mask := len(r.items) - 1
	at := r.head
	if random != nil {
		at = (r.head + random.IntN(r.count)) & mask
	}
	var none T
	v := r.items[at]
	r.items[at] = r.items[r.head]
	r.items[r.head] = none
	r.head = (r.head + 1) & mask
	r.count--
	return v
}

// stageQueue holds the ready coroutines of one stage of one job.
type stageQueue struct {
	job   *job
	stage int
	live  int // coroutines that belong here, ready or not; the queue goes with the last
	ready ring[*Coroutine]
}

// job is what fairness is about: jobs share the runners equally.
type job struct {
	name   string
	queues []*stageQueue // by stage, the latest first
	ready  int           // coroutines in queues
	used   int64         // virtual runtime, nanoseconds
	index  int           // in runQueue.heap, while ready > 0
}

// stage returns the queue of a stage, made if need be.
func (j *job) stage(stage int) *stageQueue {
	i, found := slices.BinarySearchFunc(j.queues, stage, func(q *stageQueue, stage int) int { return stage - q.stage })
	if !found {
		j.queues = slices.Insert(j.queues, i, &stageQueue{job: j, stage: stage})
	}
	return j.queues[i]
}

// runQueue holds the ready coroutines of all jobs.
type runQueue struct {
	jobs map[string]*job // those with live coroutines
	heap []*job          // those with ready coroutines; the least used first
	// floor is the greatest virtual runtime of a job that was picked, and each had the least of all at its time. A job
	// that enters the heap is lifted to it: time that it was away for is no credit. It cannot stand far above: what it
	// has used since it was picked, at or below the floor, is one turn on each runner.
	floor int64
}

// join counts a new coroutine in and returns its queue.
func (q *runQueue) join(name string, stage int) *stageQueue {
	j := q.jobs[name]
	if j == nil {
		j = &job{name: name}
		q.jobs[name] = j
	}
	queue := j.stage(stage)
	queue.live++
	return queue
}

// leave counts a coroutine out that has ended.
func (q *runQueue) leave(queue *stageQueue) {
	queue.live--
	if queue.live > 0 {
		return
	}
	j := queue.job
	j.queues = slices.DeleteFunc(j.queues, func(other *stageQueue) bool { return other == queue })
	if len(j.queues) == 0 {
		delete(q.jobs, j.name)
	}
}

// push adds a coroutine that is ready. One that would go on goes before its equals, until its stretch is used up.
func (q *runQueue) push(c *Coroutine, goesOn bool) {
	j := c.queue.job
	if goesOn && c.used < stretch.Nanoseconds() {
		c.queue.ready.unshift(c)
	} else {
		c.used = 0
		c.queue.ready.push(c)
	}
	j.ready++
	if j.ready == 1 {
		j.used = max(j.used, q.floor)
		j.index = len(q.heap)
		q.heap = append(q.heap, j)
		q.up(j.index)
	}
}

// pop returns the coroutine whose turn it is, or nil. A job's stages are few, so that they are searched one by one.
func (q *runQueue) pop(random *rand.Rand) *Coroutine {
	if len(q.heap) == 0 {
		return nil
	}
	j := q.heap[0]
	q.floor = max(q.floor, j.used)
	j.ready--
	if j.ready == 0 {
		last := len(q.heap) - 1
		q.heap[0] = q.heap[last]
		q.heap[0].index = 0
		q.heap[last] = nil
		q.heap = q.heap[:last]
		q.down(0)
	}
	for _, queue := range j.queues {
		if queue.ready.count > 0 {
			return queue.ready.pop(random)
		}
	}
	panic("coro: a job in the heap has no ready coroutine")
}

// charge adds time that a coroutine has used, at least a nanosecond: on a clock that stands still, jobs take turns.
func (q *runQueue) charge(c *Coroutine, nanos int64) {
	j := c.queue.job
	c.used += max(nanos, 1)
	j.used += max(nanos, 1)
	if j.ready > 0 {
		q.down(j.index)
	}
}

func (q *runQueue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if q.heap[parent].used <= q.heap[i].used {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q *runQueue) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q.heap); child++ {
			if q.heap[child].used < q.heap[least].used {
				least = child
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

func (q *runQueue) swap(i, k int) {
	q.heap[i], q.heap[k] = q.heap[k], q.heap[i]
	q.heap[i].index, q.heap[k].index = i, k
}
