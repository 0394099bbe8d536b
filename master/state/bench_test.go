package state

import (
	"fmt"
	"runtime"
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

// BenchmarkMemory commits a job of 100,000 tasks, each with a file, a counter and a worker, and reports what the state
// takes. The commands are made one by one, as decoded ones are.
func BenchmarkMemory(b *testing.B) {
	const tasks = 100_000
	heap := func() uint64 {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		m := New()
		g, _ := parseGraph(b, "read 0\nshuffle 256 0\nwrite 1")
		splits := make([]plan.Split, tasks)
		decoded := make([]plan.Split, tasks)
		for _, list := range [][]plan.Split{splits, decoded} {
			for i := range list {
				list[i] = plan.Split{Files: []plan.FileRange{{Path: fmt.Sprintf("/data/input/part-%05d.txt", i), Length: 1, Size: 1}}, Bytes: 1}
			}
		}
		if _, err := m.Apply(Submit{ID: "wordcount-7f3a", Graph: g, Splits: map[int][]plan.Split{0: splits}}); err != nil {
			b.Fatal(err)
		}
		o, err := m.Apply(Register{Worker: "w1", Incarnation: "one"})
		if err != nil {
			b.Fatal(err)
		}
		plans := make([]plan.Task, tasks)
		for i := range plans {
			plans[i] = plan.Task{Index: i, Split: &decoded[i]}
		}
		if _, err := m.Apply(Plan{Job: "wordcount-7f3a", Tasks: plans}); err != nil {
			b.Fatal(err)
		}
		for i := range tasks {
			id := AttemptID{Job: string([]byte("wordcount-7f3a")), Task: i, Term: 1, Number: uint64(i)}
			result := fittingResult(m.Job(id.Job), id, nil)
			if _, err := m.Apply(Commit{Attempt: id, Result: result, Worker: string([]byte("w1")), Epoch: o.Worker.Epoch}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(heap()-before)/(1<<20), "MiB")
		runtime.KeepAlive(m)
	}
}
