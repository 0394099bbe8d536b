package schedule

import (
	"fmt"
	"testing"
	"time"

	"fletch/master/state"
)

// BenchmarkTurn runs a job of 100,000 tasks on 1,000 workers of 8 slots, all of them full: attempts commit, and a turn
// fills their slots. The time of one is that of the board; the state's is left out.
func BenchmarkTurn(b *testing.B) {
	const tasks, workers, slots = 100_000, 1000, 8
	for _, ended := range []int{1, 50, 500} {
		b.Run(fmt.Sprint("ended=", ended), func(b *testing.B) {
			b.ReportAllocs()
			var m *state.Machine
			var board *Board
			var running []state.AttemptID
			turn := func() int {
				d := board.Assign(m.Active(), Turn{Term: 1, Next: uint64(len(running))})
				for _, s := range d.Starts {
					running = append(running, s.Attempt)
				}
				return len(d.Starts)
			}
			committed := tasks
			for b.Loop() {
				b.StopTimer()
				if committed+slots*workers+ended > tasks {
					m, board, running, committed = state.New(), NewBoard(), nil, 0
					addJob(b, m, "a", tasks, 16)
					for w := range workers {
						board.Put(Worker{ID: fmt.Sprint("w", w), Slots: slots})
					}
					if n := turn(); n != workers*slots {
						b.Fatalf("%d starts", n)
					}
				}
				for _, id := range running[committed : committed+ended] {
					commit(b, m, id, time.Time{})
				}
				b.StartTimer()
				for _, id := range running[committed : committed+ended] {
					board.End(id)
				}
				if n := turn(); n != ended {
					b.Fatalf("%d starts", n)
				}
				committed += ended
			}
		})
	}
}

// BenchmarkAssign decides afresh in the middle of the same job.
func BenchmarkAssign(b *testing.B) {
	const tasks, n, slots = 100_000, 1000, 8
	m := state.New()
	addJob(b, m, "a", tasks, 16)
	workers := make([]Worker, n)
	for i := range workers {
		workers[i] = Worker{ID: fmt.Sprint("w", i), Slots: slots}
		for s := range slots {
			workers[i].Running = append(workers[i].Running, state.AttemptID{Job: "a", Task: i*slots + s, Term: 1, Number: uint64(i*slots + s)})
		}
	}
	workers[0].Slots++
	b.ReportAllocs()
	for b.Loop() {
		if d := Assign(m.Active(), workers, Turn{Term: 1, Next: tasks}); len(d.Starts) != 1 {
			b.Fatalf("%d starts", len(d.Starts))
		}
	}
}
