package exec_test

import (
	"iter"
	"slices"
	"testing"

	"fletch/engine"
	"fletch/engine/exec"
)

// TestSteps looks at the steps of an attempt from within a function that waits: they grow with records, groups and values,
// and not with what a function emits, which may be without end.
func TestSteps(t *testing.T) {
	var progress *exec.Progress
	var seen []int64
	wait := func(task *engine.Task, n int64, emit func(int64)) error {
		if err := task.Do(func() error { return nil }); err != nil {
			return err
		}
		seen = append(seen, progress.Steps.Load())
		emit(n)
		return nil
	}
	job := engine.NewJob("test")
	records := engine.Process(engine.Range(job, 0, 3), wait)
	keyed := engine.KeyBy(records, func(int64) int64 { return 0 })
	write(engine.GroupByKey(keyed, func(_ int64, ns iter.Seq[int64]) iter.Seq[int64] { return ns }))
	write(engine.Process(engine.GroupByKey(keyed, func(_ int64, ns iter.Seq[int64]) iter.Seq[int64] { return ns }), wait))
	counts := engine.Count(records)
	write(engine.Process(engine.Map(counts, func(kv engine.KV[int64, int64]) int64 { return kv.Key }), wait))
	emitted := engine.FlatMap(counts, func(engine.KV[int64, int64]) iter.Seq[int64] { return slices.Values([]int64{1, 2, 3}) })
	write(engine.Process(emitted, wait))
	b := newBench(t, job)
	b.partitions = 1
	for stage, want := range [][]int64{{1, 2, 3}, {}, {2, 3, 4}, {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}} {
		seen = nil
		err := b.run(stage, func(task *exec.Task) exec.Source {
			progress = task.Progress
			if stage == 0 {
				return b.open(task, 0, 3)
			}
			return &replay{records: b.ports[b.stages[stage].Root].partition(0)}
		})
		if err != nil || !slices.Equal(seen, want) {
			t.Errorf("stage %d: steps %v, want %v; %v", stage, seen, want, err)
		}
	}
}
