package state

import (
	"testing"

	"fletch/engine/plan"
)

// planned returns a machine with one job of n source tasks that write an exchange of 256 partitions.
func planned(b *testing.B, n int) (*Machine, *Job) {
	g, _ := parseGraph(b, "read 0\nshuffle 256 0\nwrite 1")
	m := New()
	o, err := m.Apply(Submit{ID: "a", Graph: g, Splits: map[int][]plan.Split{0: make([]plan.Split, n)}})
	if err != nil {
		b.Fatal(err)
	}
	if o, err = m.Apply(Plan{Job: "a", Tasks: nextTasks(b, o.Job)}); err != nil {
		b.Fatal(err)
	}
	return m, o.Job
}

// BenchmarkCommit commits the tasks of a job one by one. The time of one must not grow with their number.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []struct {
		name  string
		tasks int
	}{{"tasks=1000", 1000}, {"tasks=100000", 100_000}} {
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			var m *Machine
			var result plan.Result
			task := size.tasks
			for b.Loop() {
				if task == size.tasks {
					b.StopTimer()
					var j *Job
					m, j = planned(b, size.tasks)
					result = fittingResult(j, AttemptID{Job: "a"}, nil)
					task = 0
					b.StartTimer()
				}
				if _, err := m.Apply(Commit{Attempt: AttemptID{Job: "a", Task: task, Term: 1, Number: uint64(task)}, Result: result}); err != nil {
					b.Fatal(err)
				}
				task++
			}
		})
	}
}

// BenchmarkPlan adds 100,000 tasks to a job.
func BenchmarkPlan(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		planned(b, 100_000)
	}
}
