package exec

import "testing"

// TestGroupStoreCountsOnce keeps 3 MiB, which the task's memory counts, in a share of 5: they are not taken again.
func TestGroupStoreCountsOnce(t *testing.T) {
	OnCoroutineWithin(t, 5<<20, func(task *Task) error {
		g := newGroupStore(task, 0, codecOf[word](t))
		defer g.clear()
		for _, w := range texts100(25_000) {
			g.add(w)
		}
		if err := g.end(); err != nil {
			return err
		}
		if used := task.Share.Used(); g.spilled() || used < g.bytes || used > g.bytes+g.bytes*3/4 {
			t.Errorf("%d bytes are kept, spilled: %v, %d are taken of the share", g.bytes, g.spilled(), used)
		}
		return nil
	})
}
