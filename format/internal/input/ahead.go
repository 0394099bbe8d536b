package input

import "fletch/engine/coro"

// Start begins a read that goes on beside the caller. await returns what it read, or an error as soon as the task is
// cancelled; join waits for its end in any case.
type Start[B any] func(read func() (B, error)) (await, join func() (B, error))

// Beside reads ahead on the I/O goroutines while the coroutine works.
func Beside[B any](c *coro.Coroutine) Start[B] {
	return func(read func() (B, error)) (await, join func() (B, error)) {
		f := coro.Go(c, read)
		return func() (B, error) { return coro.Await(c, f) }, func() (B, error) { return coro.Join(c, f) }
	}
}
