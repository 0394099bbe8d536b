package exec

import "fletch/engine/budget"

// What sources keep, which are not part of this package and work beside the coroutine as well.

// Hold takes n bytes for a source's buffers, and waits for them. It fails with a *budget.TooLargeError if these would have
// more than the share is sure of.
func (t *Task) Hold(n int64) error {
	if t.TryHold(n) {
		return nil
	}
	if all, sure := t.buffers.Load()+n, t.Share.Sure(); all > sure {
		return &budget.TooLargeError{Bytes: all, Share: sure}
	}
	err := t.await(n)
	if err == nil {
		t.buffers.Add(n)
	}
	return err
}

// TryHold takes n bytes for a source's buffers if they are there at once. It may be called from anywhere, as may Drop and
// Alive.
func (t *Task) TryHold(n int64) bool {
	if !t.Share.Take(n) {
		return false
	}
	t.buffers.Add(n)
	return true
}

// Drop gives n bytes of a source's buffers back.
func (t *Task) Drop(n int64) {
	t.buffers.Add(-n)
	t.Share.Give(n)
}

// Alive tells that the task has got on, in work that is long though no record comes of it: while nothing gets on, it is
// taken to be stuck.
func (t *Task) Alive() { t.Progress.Steps.Add(1) }
