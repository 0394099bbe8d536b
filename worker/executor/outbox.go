package executor

import (
	"context"
	"sync"

	"google.golang.org/protobuf/proto"

	"fletch/api"
)

// logBytes bounds the log records that wait to be sent.
const logBytes = 4 << 20

// outbox holds what the agent is to be told, in order. Whoever adds to it never waits.
type outbox struct {
	ready chan struct{} // room for one: something was added; closed by no one

	mu struct {
		sync.Mutex
		queue    []*api.ExecutorMessage
		logs     int // bytes of the log records that are not sent yet
		progress bool
	}
}

func newOutbox() *outbox { return &outbox{ready: make(chan struct{}, 1)} }

func (o *outbox) add(m *api.ExecutorMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.addLocked(m)
}

func (o *outbox) addLocked(m *api.ExecutorMessage) {
	o.mu.queue = append(o.mu.queue, m)
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// addLog adds log records, all or none, and reports whether there was room for them.
func (o *outbox) addLog(records ...*api.LogRecord) bool {
	size := 0
	for _, r := range records {
		size += logSize(r)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.logs > 0 && o.mu.logs+size > logBytes {
		return false
	}
	o.mu.logs += size
	for _, r := range records {
		o.addLocked(&api.ExecutorMessage{Message: &api.ExecutorMessage_Log{Log: r}})
	}
	return true
}

// logSize is what a record costs while it waits.
func logSize(r *api.LogRecord) int { return 200 + proto.Size(r) }

// addProgress adds a report unless the one before it is still not sent: the next one says the same and more. It reports
// whether it did.
func (o *outbox) addProgress(p *api.ProgressReport) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.progress {
		return false
	}
	o.mu.progress = true
	o.addLocked(&api.ExecutorMessage{Message: &api.ExecutorMessage_Progress{Progress: p}})
	return true
}

// run sends what was added until sending fails or ctx ends.
func (o *outbox) run(ctx context.Context, send func(*api.ExecutorMessage) error) error {
	for {
		select {
		case <-o.ready:
		case <-ctx.Done():
			return nil
		}
		for _, m := range o.take() {
			if err := send(m); err != nil {
				return nil //nolint:nilerr // the receiving side of the stream says why
			}
			o.sent(m)
		}
	}
}

// take returns all that is there.
func (o *outbox) take() []*api.ExecutorMessage {
	o.mu.Lock()
	defer o.mu.Unlock()
	queue := o.mu.queue
	o.mu.queue = nil
	return queue
}

// sent gives up the room of a message.
func (o *outbox) sent(m *api.ExecutorMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch m := m.Message.(type) {
	case *api.ExecutorMessage_Log:
		o.mu.logs -= logSize(m.Log)
	case *api.ExecutorMessage_Progress:
		o.mu.progress = false
	}
}
