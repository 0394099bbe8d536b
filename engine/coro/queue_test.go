package coro

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestRingIsFirstInFirstOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ring[int]
		var model []int
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				v := rapid.Int().Draw(t, "v")
				r.push(v)
				model = append(model, v)
			},
			"unshift": func(t *rapid.T) {
				v := rapid.Int().Draw(t, "v")
				r.unshift(v)
				model = append([]int{v}, model...)
			},
			"pop": func(t *rapid.T) {
				if len(model) == 0 {
					return
				}
				if got := r.pop(nil); got != model[0] {
					t.Fatalf("got %d, want %d", got, model[0])
				}
				model = model[1:]
			},
			"": func(t *rapid.T) {
				if r.count != len(model) {
					t.Fatalf("%d items, want %d", r.count, len(model))
				}
			},
		})
	})
}

// queued is a runQueue with a model of what it holds.
type queued struct {
	runQueue
	waiting map[string]map[int][]*Coroutine // by job and stage, the first in first
	parked  []*Coroutine
}

func newQueued(jobs, stages, each int) *queued {
	q := &queued{waiting: make(map[string]map[int][]*Coroutine)}
	q.jobs = make(map[string]*job)
	for j := range jobs {
		name := fmt.Sprint("job", j)
		q.waiting[name] = make(map[int][]*Coroutine)
		for i := range stages * each {
			q.add(&Coroutine{queue: q.join(name, i%stages)})
		}
	}
	return q
}

func (q *queued) add(c *Coroutine) {
	stages := q.waiting[c.queue.job.name]
	stages[c.queue.stage] = append(stages[c.queue.stage], c)
	q.push(c, false)
}

// take pops, checks that the order within the job is kept, and charges.
func (q *queued) take(t *rapid.T, nanos int64) *Coroutine {
	c := q.pop(nil)
	if c == nil {
		return nil
	}
	stages := q.waiting[c.queue.job.name]
	for stage, waiting := range stages {
		if stage > c.queue.stage && len(waiting) > 0 {
			t.Fatalf("stage %d before stage %d", c.queue.stage, stage)
		}
	}
	if stages[c.queue.stage][0] != c {
		t.Fatal("a stage's coroutines overtake one another")
	}
	stages[c.queue.stage] = stages[c.queue.stage][1:]
	q.charge(c, nanos)
	return c
}

// Jobs that always have something ready differ by less than two turns.
func TestJobsShareEqually(t *testing.T) {
	const longest = 1000
	rapid.Check(t, func(t *rapid.T) {
		q := newQueued(rapid.IntRange(1, 6).Draw(t, "jobs"), rapid.IntRange(1, 3).Draw(t, "stages"), 2)
		used := make(map[string]int64)
		for _, nanos := range rapid.SliceOfN(rapid.Int64Range(1, longest), 1, 200).Draw(t, "turns") {
			c := q.take(t, nanos)
			used[c.queue.job.name] += nanos
			q.add(c)
			for a := range q.jobs {
				for b := range q.jobs {
					if used[a]-used[b] >= 2*longest {
						t.Fatalf("%s has used %d, %s %d", a, used[a], b, used[b])
					}
				}
			}
		}
	})
}

// Whatever comes and goes, a job with something ready waits for at most two turns of each other one.
func TestNoJobStarves(t *testing.T) {
	const longest, jobs = 1000, 4
	rapid.Check(t, func(t *rapid.T) {
		q := newQueued(jobs, 2, 2)
		others := make(map[string]int64) // nanoseconds of others since the job was last served or empty
		t.Repeat(map[string]func(*rapid.T){
			"turn": func(t *rapid.T) {
				nanos := rapid.Int64Range(1, longest).Draw(t, "nanos")
				c := q.take(t, nanos)
				if c == nil {
					return
				}
				for name, j := range q.jobs {
					others[name] += nanos
					if j == c.queue.job || j.ready == 0 {
						others[name] = 0
					}
					if others[name] > 2*longest*jobs {
						t.Fatalf("%s waits for %d", name, others[name])
					}
				}
				if rapid.Bool().Draw(t, "parks") {
					q.parked = append(q.parked, c)
				} else {
					q.add(c)
				}
			},
			"wake": func(t *rapid.T) {
				if len(q.parked) == 0 {
					return
				}
				q.add(q.parked[0])
				q.parked = q.parked[1:]
			},
		})
	})
}

// A job that was away while another used a long time gets no more than that one once it is back.
func TestAbsenceIsNoCredit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueued(2, 1, 1)
		away := q.take(t, 1)
		for range rapid.IntRange(1, 1000).Draw(t, "turns alone") {
			q.add(q.take(t, 100))
		}
		q.add(away)
		turns := make(map[string]int)
		for range 20 {
			c := q.take(t, 100)
			turns[c.queue.job.name]++
			q.add(c)
		}
		if n := turns[away.queue.job.name]; n < 9 || n > 11 {
			t.Fatalf("%d turns of 20 for the job that came back", n)
		}
	})
}

func TestQueuesGoWithTheirLastCoroutine(t *testing.T) {
	q := newQueued(2, 3, 1)
	for c := q.pop(nil); c != nil; c = q.pop(nil) {
		q.leave(c.queue)
	}
	if len(q.jobs) != 0 || len(q.heap) != 0 {
		t.Fatalf("left: jobs %v, heap %v", q.jobs, q.heap)
	}
}
