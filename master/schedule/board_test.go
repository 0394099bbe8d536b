package schedule

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"fletch/fault"
	"fletch/master/state"
)

// cluster drives a board with random events, beside a plain account of what it was told.
type cluster struct {
	m       *state.Machine
	b       *Board
	now     time.Time
	next    uint64
	jobs    int
	slots   map[string]int                      // by worker
	running map[string]map[state.AttemptID]bool // by worker; true once its stop was ordered
	gone    []state.AttemptID                   // that left a worker without a word: they may be reported again, and end
}

// TestBoardDecidesAsAfresh checks that a board which follows the events decides as one does that is told all at once.
func TestBoardDecidesAsAfresh(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &cluster{
			m: state.New(), b: NewBoard(), now: time.Unix(1000, 0), next: 1,
			slots: make(map[string]int), running: make(map[string]map[state.AttemptID]bool),
		}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			for range rapid.IntRange(0, 4).Draw(t, "events") {
				c.event(t)
			}
			c.decide(t)
		}
	})
}

// event is something that happens to a worker, an attempt or a job.
func (c *cluster) event(t *rapid.T) {
	c.now = c.now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "ms")) * time.Millisecond)
	worker := rapid.SampledFrom([]string{"w0", "w1", "w2"}).Draw(t, "worker")
	switch kind := rapid.SampledFrom([]string{"put", "remove", "submit", "cancel", "rival", "end", "end", "end", "end", "end", "end"}).Draw(t, "kind"); kind {
	case "put":
		c.slots[worker] = rapid.IntRange(0, 4).Draw(t, "slots")
		kept := make(map[state.AttemptID]bool)
		for _, id := range slices.SortedFunc(maps.Keys(c.running[worker]), state.AttemptID.Compare) {
			if rapid.Bool().Draw(t, "kept") {
				kept[id] = false
			} else {
				c.gone = append(c.gone, id)
			}
		}
		if len(c.gone) > 0 && rapid.Bool().Draw(t, "back") {
			kept[c.takeGone(t)] = false
		}
		c.running[worker] = kept
		c.b.Put(c.worker(worker))
	case "remove":
		delete(c.slots, worker)
		delete(c.running, worker)
		c.b.Remove(worker)
	case "submit":
		if c.jobs < 5 {
			c.jobs++
			addJob(t, c.m, fmt.Sprint("j", c.jobs), rapid.IntRange(1, 70).Draw(t, "splits"), 3, 2)
		}
	case "cancel":
		if jobs := c.m.Active(); len(jobs) > 0 && rapid.IntRange(0, 3).Draw(t, "rarely") == 0 {
			mustApply(t, c.m, state.Cancel{Job: rapid.SampledFrom(jobs).Draw(t, "job").ID})
		}
	case "rival":
		if len(c.gone) > 0 {
			c.outcome(t, worker, c.takeGone(t))
		}
	case "end":
		ids := slices.SortedFunc(maps.Keys(c.running[worker]), state.AttemptID.Compare)
		if len(ids) > 0 {
			c.end(t, worker, rapid.SampledFrom(ids).Draw(t, "attempt"))
		}
	}
}

func (c *cluster) takeGone(t *rapid.T) state.AttemptID {
	i := rapid.IntRange(0, len(c.gone)-1).Draw(t, "gone")
	id := c.gone[i]
	c.gone = slices.Delete(c.gone, i, i+1)
	return id
}

func (c *cluster) end(t *rapid.T, worker string, id state.AttemptID) {
	delete(c.running[worker], id)
	c.outcome(t, worker, id)
	c.b.End(id)
}

// outcome applies what became of an attempt: it commits, fails, has lost an input, or is given up without a word.
func (c *cluster) outcome(t *rapid.T, worker string, id state.AttemptID) {
	j := c.m.Job(id.Job)
	if j == nil || j.Status.Ended() || j.Fence(id) != nil {
		return
	}
	switch rapid.SampledFrom([]string{"commit", "commit", "commit", "fail", "fail", "lose", "drop"}).Draw(t, "how") {
	case "commit":
		if j.Stages[id.Stage].Task(id.Task).Winner != id {
			commit(t, c.m, id, c.now)
		}
	case "fail":
		mustTry(t, c.m, state.Fail{Attempt: id, Worker: worker, Message: "broken", At: c.now})
	case "lose":
		if j.Runnable(id.Stage) {
			for _, producers := range j.Producers(id.Stage) {
				mustTry(t, c.m, state.Fail{Attempt: id, Class: fault.FetchFailed, Lost: []state.AttemptID{producers[0].Attempt}, At: c.now})
			}
		}
	}
}

// mustTry applies a command that may be refused, as a winner's failure is.
func mustTry(t *rapid.T, m *state.Machine, c state.Command) {
	if _, err := m.Apply(c); err != nil && fault.ClassOf(err) != fault.Fenced {
		t.Fatal(err)
	}
}

func (c *cluster) worker(id string) Worker {
	return Worker{ID: id, Slots: c.slots[id], Running: slices.Collect(maps.Keys(c.running[id]))}
}

// decide compares the board's decision with a fresh one and carries it out.
func (c *cluster) decide(t *rapid.T) {
	var workers []Worker
	for id := range c.slots {
		workers = append(workers, c.worker(id))
	}
	turn := Turn{Now: c.now, Term: 1, Next: c.next}
	want := Assign(c.m.Active(), workers, turn)
	want.Stops = slices.DeleteFunc(want.Stops, func(s Stop) bool { return c.running[s.Worker][s.Attempt] })
	have := c.b.Assign(c.m.Active(), turn)
	if show(have) != show(want) {
		t.Fatalf("the board decides\n%swant\n%s", show(have), show(want))
	}
	for _, s := range have.Starts {
		c.running[s.Worker][s.Attempt] = false
	}
	for _, s := range have.Stops {
		c.running[s.Worker][s.Attempt] = true
	}
	c.next += uint64(len(have.Starts))
}

// TestBoardWaitsForTheLatestFailure checks that a task that fails again while it waits is waited for until it may be tried.
func TestBoardWaitsForTheLatestFailure(t *testing.T) {
	m, now := state.New(), time.Unix(1000, 0)
	addJob(t, m, "a", 1)
	b := NewBoard()
	b.Put(Worker{ID: "w1", Slots: 1})
	first := b.Assign(m.Active(), Turn{Now: now, Term: 2}).Starts[0].Attempt
	other := first
	other.Term = 1
	for i, id := range []state.AttemptID{first, other} {
		mustApply(t, m, state.Fail{Attempt: id, At: now})
		b.End(id)
		want := now.Add(100 * time.Millisecond << i)
		if d := b.Assign(m.Active(), Turn{Now: now, Term: 2, Next: 1}); !d.Wake.Equal(want) || len(d.Starts) > 0 {
			t.Errorf("failure %d: %+v, want to wake at %s", i, d, want)
		}
	}
}

// TestBoardForgets checks that nothing stays of workers and jobs that are gone.
func TestBoardForgets(t *testing.T) {
	m := state.New()
	addJob(t, m, "a", 100, 3)
	b := NewBoard()
	b.Put(Worker{ID: "w1", Slots: 5})
	b.Put(Worker{ID: "w2", Slots: 50})
	d := b.Assign(m.Active(), Turn{Term: 1})
	mustApply(t, m, state.Cancel{Job: "a"})
	if d := b.Assign(m.Active(), Turn{Term: 1, Next: 100}); len(d.Stops) != 55 || len(d.Starts) > 0 {
		t.Errorf("%d stops, %d starts", len(d.Stops), len(d.Starts))
	}
	b.Remove("w1")
	for _, s := range d.Starts {
		b.End(s.Attempt)
	}
	b.Assign(m.Active(), Turn{Term: 1, Next: 100})
	b.Remove("w2")
	if n := len(b.attempts) + len(b.queues) + len(b.workers) + len(b.came) + len(b.left) + b.free.Len(); n > 0 {
		t.Errorf("%d things stay: %+v", n, b)
	}
}

// TestBoardWaitsForNoWrongClock checks that a failure which a master recorded whose clock was ahead by a day holds nothing up.
func TestBoardWaitsForNoWrongClock(t *testing.T) {
	m, b, now := state.New(), NewBoard(), time.Unix(1000, 0)
	addJob(t, m, "j", 1, 1, 1)
	b.Put(Worker{ID: "w", Slots: 1})
	first := b.Assign(m.Active(), Turn{Now: now, Term: 1, Next: 1}).Starts[0].Attempt
	mustApply(t, m, state.Fail{Attempt: first, Class: fault.Retryable, At: now.Add(24 * time.Hour)})
	b.End(first)
	if d := b.Assign(m.Active(), Turn{Now: now, Term: 2, Next: 1}); len(d.Starts) != 1 {
		t.Errorf("%+v, want the task to be tried again", d)
	}
}
