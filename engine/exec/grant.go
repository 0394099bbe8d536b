package exec

import (
	"errors"

	"fletch/engine/budget"
)

// leastRunBytes is the least that is worth a run of its own: each run costs memory and a seek where it is read.
const leastRunBytes = 1 << 20

// grant takes n more bytes for an operator that could spill so many of those that it holds. It returns false where he is to
// do that first, and to ask again. What makes no more than a small run is not spilled: memory that others keep to the end
// (a side, or what another operator of the task holds) would not come back by it, and each few records would be a run.
func (t *Task) grant(n, held int64) (granted bool, err error) {
	if t.Share.Take(n) {
		return true, nil
	}
	if held > 0 && !t.small(held+n) {
		return false, nil
	}
	return true, t.await(n)
}

// small tells whether so many bytes make no more than a small run.
func (t *Task) small(bytes int64) bool { return bytes <= min(leastRunBytes, t.Share.Sure()/2) }

// await takes n bytes that are needed to go on, and waits for them. The caller has given back what he can do without; what
// the task's combiners hold is given back here. If it is other operators of the task that keep the share from granting a
// part of what it is sure of (one that feeds its groups, say, holds them to the end), it is taken all the same. More than
// that is laid to the operator at work, whose records are too large.
func (t *Task) await(n int64) error {
	granted := n == 0 || t.Share.Take(n)
	for !granted && t.emptyLargest(nil) {
		granted = t.Share.Take(n)
	}
	if granted {
		return nil
	}
	t.Progress.Waits.Store(true)
	err := t.Share.Await(t.Coroutine, n)
	t.Progress.Waits.Store(false)
	tooLarge, ok := errors.AsType[*budget.TooLargeError](err)
	switch {
	case !ok:
		return err
	case n <= t.Share.Sure()/2:
		t.Share.Must(n)
		return nil
	default:
		return t.blame(tooLarge, nil)
	}
}
