package worker

import (
	"context"
	"sync"
)

// queue hands items from those who must not wait to one taker. It has no bound: what it holds is bounded by what was
// ordered.
type queue[T any] struct {
	wake chan struct{} // capacity 1: something has changed since the last take
	mu   struct {
		sync.Mutex
		items  []T
		closed bool
	}
}

func newQueue[T any]() *queue[T] { return &queue[T]{wake: make(chan struct{}, 1)} }

// put appends an item; after close it drops it.
func (q *queue[T]) put(item T) {
	q.mu.Lock()
	if !q.mu.closed {
		q.mu.items = append(q.mu.items, item)
	}
	q.mu.Unlock()
	q.signal()
}

// close ends the queue; what is in it can still be taken.
func (q *queue[T]) close() {
	q.mu.Lock()
	q.mu.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for items and returns all that are there; none after the end of the queue or of ctx.
func (q *queue[T]) take(ctx context.Context) []T {
	for {
		q.mu.Lock()
		items, closed := q.mu.items, q.mu.closed
		q.mu.items = nil
		q.mu.Unlock()
		if len(items) > 0 || closed {
			return items
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil
		}
	}
}
