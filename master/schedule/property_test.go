package schedule

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fletch/master/state"
)

// never is later than any retry.
var never = time.Unix(1<<40, 0)

// drawMachine draws some jobs in some state of progress.
func drawMachine(t *rapid.T, now time.Time) *state.Machine {
	m := state.New()
	for i := range rapid.IntRange(0, 4).Draw(t, "jobs") {
		id := string(rune('a' + i))
		if rapid.Bool().Draw(t, "branches") {
			addBranches(t, m, id)
		} else {
			addJob(t, m, id, rapid.IntRange(1, 5).Draw(t, "splits"), 3, 2)
		}
	}
	for range rapid.IntRange(0, 25).Draw(t, "steps") {
		ready := startable(m.Active(), nil, never)
		if len(ready) == 0 {
			break
		}
		task := rapid.SampledFrom(ready).Draw(t, "task")
		id := task.attempt(1, rapid.Uint64Range(1, 1000).Draw(t, "number"))
		if rapid.IntRange(0, 2).Draw(t, "fails") == 0 {
			// An attempt that has failed already is refused; that is fine here.
			worker := rapid.SampledFrom([]string{"", "w0", "w1", "w2"}).Draw(t, "on")
			_, _ = m.Apply(state.Fail{Attempt: id, Worker: worker, Message: "broken", At: now.Add(-time.Duration(rapid.IntRange(0, 900).Draw(t, "ago")) * time.Millisecond)})
		} else if m.Job(id.Job).Fence(id) == nil {
			commit(t, m, id, now)
		}
	}
	return m
}

// ready is a task that could be started.
type ready struct {
	job  *state.Job
	task *state.Task
}

func (r ready) attempt(term, number uint64) state.AttemptID {
	return state.AttemptID{Job: r.job.ID, Stage: r.task.Stage, StageAttempt: r.task.StageAttempt, Task: r.task.Index, Term: term, Number: number}
}

// startable lists what can be started and does not run, by looking at every task.
func startable(jobs []*state.Job, running map[string]bool, now time.Time) []ready {
	var all []ready
	for _, j := range jobs {
		for i, s := range j.Stages {
			for task := range s.Tasks() {
				if !task.Committed && j.Runnable(i) && !task.RetryAt.After(now) && !running[taskName(j.ID, i, task.Index)] {
					all = append(all, ready{j, task})
				}
			}
		}
	}
	return all
}

func taskName(job string, stage, index int) string { return fmt.Sprint(job, " ", stage, " ", index) }

// drawWorkers draws workers with current and outdated attempts.
func drawWorkers(t *rapid.T, m *state.Machine) []Worker {
	var workers []Worker
	number := uint64(2000)
	for i := range rapid.IntRange(0, 4).Draw(t, "workers") {
		w := Worker{ID: fmt.Sprint("w", i), Slots: rapid.IntRange(0, 4).Draw(t, "slots")}
		for range rapid.IntRange(0, 4).Draw(t, "running") {
			number++
			id := state.AttemptID{Job: rapid.SampledFrom([]string{"a", "b", "gone"}).Draw(t, "job"), Term: 1, Number: number}
			id.Stage = rapid.IntRange(0, 2).Draw(t, "stage")
			id.Task = rapid.IntRange(0, 4).Draw(t, "index")
			w.Running = append(w.Running, id)
		}
		workers = append(workers, w)
	}
	return workers
}

func TestAssignProperties(t *testing.T) {
	now := time.Unix(1000, 0)
	rapid.Check(t, func(t *rapid.T) {
		m := drawMachine(t, now)
		workers := drawWorkers(t, m)
		turn := Turn{Now: now, Term: 7, Next: 100}
		d := Assign(m.Active(), workers, turn)

		running, perJob := checkStops(t, m, workers, d)
		could := startable(m.Active(), running, now)
		checkStarts(t, m, workers, d, could)
		for _, s := range d.Starts {
			running[taskName(s.Attempt.Job, s.Attempt.Stage, s.Attempt.Task)] = true
			perJob[s.Attempt.Job]++
		}
		left := startable(m.Active(), running, now)
		checkOrder(t, d, left, perJob)
		checkFull(t, workers, d, left, startable(m.Active(), running, never))

		shuffled := rapid.Permutation(workers).Draw(t, "shuffled")
		for i := range shuffled {
			shuffled[i].Running = rapid.Permutation(shuffled[i].Running).Draw(t, "running")
		}
		if again := Assign(m.Active(), shuffled, turn); show(again) != show(d) {
			t.Fatalf("in another order of workers: %+v instead of %+v", again, d)
		}
	})
}

// checkStops checks that exactly what is fenced is stopped, and returns the tasks that run and their number by job.
func checkStops(t *rapid.T, m *state.Machine, workers []Worker, d Decision) (map[string]bool, map[string]int) {
	running, perJob := make(map[string]bool), make(map[string]int)
	want := make(map[state.AttemptID]string)
	for _, w := range workers {
		for _, id := range w.Running {
			if j := m.Job(id.Job); j == nil || j.Status.Ended() || j.Fence(id) != nil {
				want[id] = w.ID
				continue
			}
			running[taskName(id.Job, id.Stage, id.Task)] = true
			perJob[id.Job]++
		}
	}
	have := make(map[state.AttemptID]string)
	for _, s := range d.Stops {
		have[s.Attempt] = s.Worker
	}
	if !maps.Equal(have, want) || len(have) != len(d.Stops) {
		t.Fatalf("stops %v, want %v", d.Stops, want)
	}
	return running, perJob
}

// checkStarts checks that each start is a task that could be started, once, within the worker's slots, numbered in turn.
func checkStarts(t *rapid.T, m *state.Machine, workers []Worker, d Decision, could []ready) {
	used := make(map[string]int)
	for i, s := range d.Starts {
		used[s.Worker]++
		at := slices.IndexFunc(could, func(r ready) bool { return r.attempt(7, 100+uint64(i)) == s.Attempt })
		if at < 0 || !reflect.DeepEqual(could[at].task.Task, s.Task) {
			t.Fatalf("start %d is of %s, which can't be started", i, s.Attempt)
		}
		could = slices.Delete(slices.Clone(could), at, at+1)
	}
	checkAvoids(t, workers, d, m)
	for _, w := range workers {
		if used[w.ID] > max(0, w.Slots-len(w.Running)) {
			t.Fatalf("%s starts %d with %d slots, %d running", w.ID, used[w.ID], w.Slots, len(w.Running))
		}
	}
}

// checkAvoids checks that a task goes to a worker on which it has failed only if no other one has a free slot.
func checkAvoids(t *rapid.T, workers []Worker, d Decision, m *state.Machine) {
	free := make(map[string]int)
	for _, w := range workers {
		free[w.ID] = w.Slots - len(w.Running)
	}
	for _, s := range d.Starts {
		task := m.Job(s.Attempt.Job).Stages[s.Task.Stage].Task(s.Task.Index)
		for _, w := range workers {
			if failedOn(task, s.Worker) && !failedOn(task, w.ID) && free[w.ID] > 0 {
				t.Fatalf("%s goes to %s, where it has failed, while %s is free", s.Attempt, s.Worker, w.ID)
			}
		}
		free[s.Worker]--
	}
}

// checkOrder checks fairness and urgency against what was left behind.
func checkOrder(t *rapid.T, d Decision, left []ready, perJob map[string]int) {
	for _, s := range d.Starts {
		for _, r := range left {
			if r.job.ID != s.Attempt.Job {
				if perJob[s.Attempt.Job]-1 > perJob[r.job.ID] {
					t.Fatalf("%s was started while job %s has fewer running: %v", s.Attempt, r.job.ID, perJob)
				}
				continue
			}
			if cmp.Or(cmp.Compare(r.task.Stage, s.Task.Stage), cmp.Compare(s.Task.Index, r.task.Index)) > 0 {
				t.Fatalf("%s was started before stage %d, task %d", s.Attempt, r.task.Stage, r.task.Index)
			}
		}
	}
}

// checkFull checks that while a slot is free no task could use it, and that the first that waits is waited for.
func checkFull(t *rapid.T, workers []Worker, d Decision, left, later []ready) {
	free := -len(d.Starts)
	for _, w := range workers {
		free += max(0, w.Slots-len(w.Running))
	}
	if free == 0 {
		return
	}
	if len(left) > 0 {
		t.Fatalf("%d slots are free, and %d tasks could be started", free, len(left))
	}
	var wake time.Time
	for _, r := range later {
		if wake.IsZero() || r.task.RetryAt.Before(wake) {
			wake = r.task.RetryAt
		}
	}
	if !d.Wake.Equal(wake) {
		t.Fatalf("wakes at %s, want %s", d.Wake, wake)
	}
}
