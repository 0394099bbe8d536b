package master

import (
	"errors"
	"sync"

	"fletch/api"
	"fletch/fault"
)

// outbox holds the messages for one worker until its stream takes them, so that the leader's loop never waits for a slow
// one. What waits is bounded by what a worker can be told: a few messages for each slot and job.
type outbox struct {
	cancel func(error)   // ends the connection
	ready  chan struct{} // capacity one: something waits; closed by no one
	mu     struct {
		sync.Mutex
		waiting []*api.MasterMessage
	}
}

// maxWaiting is how many messages may wait. A worker that is so far behind is disconnected.
const maxWaiting = 100_000

var errSlow = fault.As(fault.Retryable, errors.New("the worker does not take its orders"))

func newOutbox(cancel func(error)) *outbox {
	return &outbox{cancel: cancel, ready: make(chan struct{}, 1)}
}

func (o *outbox) put(m *api.MasterMessage) {
	o.mu.Lock()
	o.mu.waiting = append(o.mu.waiting, m)
	n := len(o.mu.waiting)
	o.mu.Unlock()
	if n > maxWaiting {
		o.cancel(errSlow)
	}
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// take returns what waits.
func (o *outbox) take() []*api.MasterMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.mu.waiting
	o.mu.waiting = nil
	return m
}
