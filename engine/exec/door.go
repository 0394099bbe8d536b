package exec

// What follows is for sources, which are not part of this package.

// Hold takes n bytes of the share and waits for them; n that is more than the share can have fails with a
// *budget.TooLargeError.
func (t *Task) Hold(n int64) error { return t.await(n) }

// Alive tells that the task has got on, in work that is long though no record comes of it: while nothing gets on, it is
// taken to be stuck. It may be called from anywhere.
func (t *Task) Alive() { t.Progress.Steps.Add(1) }
