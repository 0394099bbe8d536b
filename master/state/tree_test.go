package state

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/plan"
)

// TestTree compares the tree with a plain slice, and checks that a change leaves the older trees alone.
func TestTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(1, 200), rapid.SampledFrom([]int{64, 65, 4096, 4097})).Draw(t, "len")
		model := make([]*Task, n)
		for i := range model {
			model[i] = &Task{Task: plan.Task{Index: i}, Committed: rapid.Bool().Draw(t, "committed")}
		}
		old := newTree(n, func(i int) *Task { return model[i] })
		now := old
		before := fmt.Sprint(list(old))
		changed := append([]*Task(nil), model...)
		for range rapid.IntRange(0, 100).Draw(t, "changes") {
			i := rapid.IntRange(0, n-1).Draw(t, "index")
			changed[i] = &Task{Task: plan.Task{Index: i}, Committed: rapid.Bool().Draw(t, "committed")}
			now = now.set(i, changed[i])
		}
		for i := range changed {
			if now.at(i) != changed[i] {
				t.Fatalf("task %d is another", i)
			}
		}
		from := rapid.IntRange(0, n).Draw(t, "from")
		var want *Task
		for i := n - 1; i >= from; i-- {
			if !changed[i].Committed {
				want = changed[i]
			}
		}
		if have := now.pending(from); have != want {
			t.Fatalf("pending(%d) = %v, want %v", from, have, want)
		}
		seen := slices.Collect((&Stage{tasks: now}).Changed(&Stage{tasks: old}))
		differ := slices.DeleteFunc(slices.Clone(changed), func(t *Task) bool { return t == model[t.Index] })
		if !slices.Equal(seen, differ) {
			t.Fatalf("%d tasks have changed, want %d", len(seen), len(differ))
		}
		if all := slices.Collect((&Stage{tasks: now}).Changed(&Stage{})); !slices.Equal(all, changed) {
			t.Fatalf("%d tasks have changed since there were none, want %d", len(all), len(changed))
		}
		if fmt.Sprint(list(old)) != before {
			t.Fatal("an older tree has changed")
		}
	})
}

func list(t tree) []Task {
	var tasks []Task
	for i := range t.len {
		tasks = append(tasks, *t.at(i))
	}
	return tasks
}
