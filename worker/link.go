package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"fletch/api"
	"fletch/fault"
)

// link keeps the stream to the leader. It looks for the leader among the masters, for ever.
type link struct {
	agent  *agent
	news   chan struct{}          // capacity 1: there are ends of attempts to tell
	leader atomic.Pointer[string] // the leader's address while the stream to it is up
}

func newLink(a *agent) *link { return &link{agent: a, news: make(chan struct{}, 1)} }

// wake has the ends of attempts told at once.
func (l *link) wake() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

const firstBackoff = 20 * time.Millisecond

// run returns when ctx ends, or with an error that another try can't mend.
func (l *link) run(ctx context.Context) error {
	masters := l.agent.config.Masters
	next := rand.IntN(len(masters))
	wait := firstBackoff
	hint, known := "", false // the address of a leader that another master has named; whether one has accepted this worker
	for ctx.Err() == nil {
		address := hint
		if hint == "" {
			address = masters[next%len(masters)]
			next++
		}
		welcomed, err := l.session(ctx, address)
		if welcomed {
			wait, known = firstBackoff, true
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // its end is no failure
		}
		if fault.ClassOf(err) == fault.Permanent && !known {
			return fmt.Errorf("master %s refuses this worker: %w", address, err)
		}
		var other *api.NotLeader
		if errors.As(err, &other) && other.Leader != "" && other.Leader != address && hint == "" {
			hint = other.Leader
			continue // at once, but not from one hint to the next
		}
		hint = ""
		l.agent.config.Log.Debug("no leader here", "master", address, "error", err)
		if err := sleep(ctx, wait/2+rand.N(wait)); err != nil {
			return nil //nolint:nilerr // the end of ctx is no failure
		}
		wait = min(2*wait, l.agent.config.waits.backoff)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errSilent ends the stream to a master that says nothing.
var errSilent = errors.New("the master is silent")

type workerStream = grpc.BidiStreamingClient[api.WorkerMessage, api.MasterMessage]

// session has one stream, and returns after its end. It tells whether the master has accepted the worker.
func (l *link) session(ctx context.Context, address string) (welcomed bool, err error) {
	conn, err := grpc.NewClient(address, api.DialOptions()...)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := l.agent.config.waits.hello
	alarm := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer alarm.Stop()
	stream, err := api.NewWorkersClient(conn).Connect(ctx)
	if err != nil {
		return false, endOf(ctx, err)
	}
	welcome, err := l.greet(stream)
	if err != nil {
		return false, endOf(ctx, err)
	}
	heartbeat := time.Duration(welcome.GetHeartbeatMillis()) * time.Millisecond
	if heartbeat <= 0 || welcome.GetSilenceMillis() <= 0 {
		return false, errors.New("its Welcome lacks the times")
	}
	silence = time.Duration(welcome.GetSilenceMillis()) * time.Millisecond
	alarm.Reset(silence)
	l.leader.Store(&address)
	defer l.leader.Store(nil)
	l.agent.config.Log.Info("connected to the leader", "master", address, "term", welcome.GetTerm(), "epoch", welcome.GetEpoch())

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.tell(ctx, stream, heartbeat) })
	g.Go(func() error {
		for {
			m, err := stream.Recv()
			if err != nil {
				return err
			}
			alarm.Reset(silence)
			if !l.agent.post(func() { l.agent.obey(m) }) {
				return context.Canceled
			}
		}
	})
	err = endOf(ctx, g.Wait())
	l.agent.config.Log.Warn("lost the leader; attempts go on", "master", address, "error", err)
	return true, err
}

// endOf returns why a stream has ended: the cause of its context's end, if that came first.
func endOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) {
		return cause
	}
	return err
}

// greet introduces the worker.
func (l *link) greet(stream workerStream) (*api.Welcome, error) {
	hello, ok := ask(l.agent, l.agent.hello)
	if !ok {
		return nil, context.Canceled
	}
	err := stream.Send(&api.WorkerMessage{Message: &api.WorkerMessage_Hello{Hello: hello}})
	if err != nil && !errors.Is(err, io.EOF) { // after that, Recv tells why
		return nil, err
	}
	m, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	welcome := m.GetWelcome()
	if welcome == nil {
		return nil, errors.New("its first message is no Welcome")
	}
	refused, ok := ask(l.agent, func() error { return l.agent.welcome(welcome) })
	if !ok {
		return nil, context.Canceled
	}
	return welcome, refused
}

// tell sends heartbeats, and news as soon as there are any.
func (l *link) tell(ctx context.Context, stream workerStream, every time.Duration) error {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		for {
			beat, ok := ask(l.agent, func() beat { return l.agent.heartbeat(every) })
			if !ok {
				return context.Canceled
			}
			if err := stream.Send(&api.WorkerMessage{Message: &api.WorkerMessage_Heartbeat{Heartbeat: beat.message}}); err != nil {
				return nil // the receiver learns why
			}
			if !beat.more {
				break
			}
		}
		select {
		case <-ticks.C:
		case <-l.news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pid is that of this process, for the masters to show.
var pid = int64(os.Getpid())
