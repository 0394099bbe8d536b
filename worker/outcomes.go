package worker

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"fletch/api"
)

// outcomes are the ends of attempts that the leader has not acknowledged, in their order.
type outcomes struct {
	list []*outcome
	by   map[string]*outcome
}

// outcome is the end of one attempt.
type outcome struct {
	ended *api.AttemptEnded
	sent  time.Time // on the present stream; zero before
}

func (o *outcomes) add(ended *api.AttemptEnded) {
	if o.by == nil {
		o.by = map[string]*outcome{}
	}
	x := &outcome{ended: ended}
	o.by[ended.GetAttempt()] = x
	o.list = append(o.list, x)
}

func (o *outcomes) has(attempt string) bool { return o.by[attempt] != nil }

// acknowledge forgets the ends of attempts.
func (o *outcomes) acknowledge(attempts []string) {
	acknowledged := map[*outcome]bool{}
	for _, name := range attempts {
		if x := o.by[name]; x != nil {
			acknowledged[x] = true
			delete(o.by, name)
		}
	}
	o.list = slices.DeleteFunc(o.list, func(x *outcome) bool { return acknowledged[x] })
}

// again has all of them sent on a new stream.
func (o *outcomes) again() {
	for _, x := range o.list {
		x.sent = time.Time{}
	}
}

func (o *outcomes) names() []string {
	names := make([]string, len(o.list))
	for i, x := range o.list {
		names[i] = x.ended.GetAttempt()
	}
	return names
}

// heartbeatBytes is about how much of ends one message carries.
const heartbeatBytes = 1 << 20

// take returns those to send now: the ones that were not sent for so long. There may be more.
func (o *outcomes) take(now time.Time, repeat time.Duration) (ended []*api.AttemptEnded, more bool) {
	size := 0
	for _, x := range o.list {
		if !x.sent.IsZero() && now.Sub(x.sent) < repeat {
			continue
		}
		if size > heartbeatBytes {
			return ended, true
		}
		x.sent = now
		size += proto.Size(x.ended)
		ended = append(ended, x.ended)
	}
	return ended, false
}
