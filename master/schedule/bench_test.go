package schedule

import (
	"fmt"
	"testing"
	"time"

	"fletch/master/state"
)

// BenchmarkAssign decides for a job of 100,000 tasks, half of them committed, on 100 workers of 16 slots: all of them
// free, or one.
func BenchmarkAssign(b *testing.B) {
	const tasks = 100_000
	m := state.New()
	addJob(b, m, "a", tasks, 16)
	for i := range tasks / 2 {
		commit(b, m, state.AttemptID{Job: "a", Task: i, Term: 1, Number: uint64(i)}, time.Time{})
	}
	idle := make([]Worker, 100)
	for i := range idle {
		idle[i] = Worker{ID: fmt.Sprint("w", i), Slots: 16}
	}
	busy := make([]Worker, len(idle))
	copy(busy, idle)
	for i, s := range Assign(m.Active(), idle, Turn{Term: 1, Next: tasks}).Starts {
		if i == 0 {
			continue
		}
		for w := range busy {
			if busy[w].ID == s.Worker {
				busy[w].Running = append(busy[w].Running, s.Attempt)
			}
		}
	}
	for _, run := range []struct {
		name    string
		workers []Worker
		starts  int
	}{{"free=1600", idle, 1600}, {"free=1", busy, 1}} {
		b.Run(run.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := Assign(m.Active(), run.workers, Turn{Term: 1, Next: tasks}); len(d.Starts) != run.starts {
					b.Fatalf("%d starts", len(d.Starts))
				}
			}
		})
	}
}
