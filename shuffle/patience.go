package shuffle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fletch/engine/coro"
)

const (
	// minTries is how often a worker is asked, however long a try takes.
	minTries   = 3
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
)

// patience bounds the tries of something that fails.
type patience struct {
	limit time.Duration // from the first failure to the last try
	since time.Time     // of the first failure
	tries int           // that failed
}

// wait counts a failure and waits for the time of the next try. It returns false if there is to be none, and an error if
// the coroutine is cancelled.
func (p *patience) wait(c *coro.Coroutine) (again bool, err error) {
	now := time.Now()
	if p.tries == 0 {
		p.since = now
	}
	p.tries++
	if p.tries >= minTries && now.Sub(p.since) >= p.limit {
		return false, nil
	}
	var over coro.Future[struct{}]
	timer := time.AfterFunc(min(firstPause<<min(p.tries-1, 10), maxPause), func() { over.Complete(struct{}{}, nil) })
	defer timer.Stop()
	_, err = coro.Await(c, &over)
	return err == nil, err
}

// spent is the error of what failed for so long.
func (p *patience) spent(err error) error {
	return fmt.Errorf("%d tries in %v: %w", p.tries, time.Since(p.since).Round(time.Millisecond), err)
}

// pace ends a transfer that takes too long.
type pace struct {
	ctx   context.Context
	stop  context.CancelFunc
	timer *time.Timer
	limit time.Duration
}

// startPace returns a context that ends after limit, and what moves that end.
func startPace(ctx context.Context, limit time.Duration) (context.Context, *pace) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pace{ctx: ctx, limit: limit, timer: time.AfterFunc(limit, func() { cancel(errSlow) })}
	p.stop = func() { p.timer.Stop(); cancel(nil) }
	return ctx, p
}

// extend grants the time that n bytes may take.
func (p *pace) extend(n int64) {
	p.timer.Reset(p.limit + time.Duration(n)*time.Second/minBytesPerSecond)
}

// cause returns err, and that the time was up where this is why.
func (p *pace) cause(err error) error {
	if err != nil && errors.Is(context.Cause(p.ctx), errSlow) {
		return fmt.Errorf("%w: %w", errSlow, err)
	}
	return err
}
