package master

import (
	"context"
	"errors"
	"io"
	"time"

	"fletch/api"
	"fletch/fault"
	"fletch/master/replica"
	"fletch/master/state"
)

// workersServer is the side of the masters that workers connect to.
type workersServer struct {
	api.UnimplementedWorkersServer
	*Master
}

// helloWait is how long a worker may take to introduce itself.
const helloWait = 10 * time.Second

// Connect serves a worker until its stream or the term ends. It returns while its receiving goroutine may still wait; that
// ends with the stream, which ends when Connect has returned.
func (s *workersServer) Connect(stream api.Workers_ConnectServer) error {
	l, err := s.leader()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	stopping := context.AfterFunc(l.ctx, func() { cancel(l.notLeader()) })
	defer stopping()
	c := &connection{cancel: cancel, jobs: map[string]*sentJob{}, stopped: map[string]bool{}, out: newOutbox(cancel)}
	late := time.AfterFunc(helloWait, func() { cancel(errors.New("the worker did not introduce itself")) })
	defer late.Stop()
	go func() { cancel(l.receive(ctx, stream, c, late)) }()
	beats := time.NewTicker(heartbeat)
	defer beats.Stop()
	for {
		select {
		case <-c.out.ready:
			for _, m := range c.out.take() {
				if err := stream.Send(m); err != nil {
					cancel(err)
				}
			}
		case <-beats.C: // so that the worker knows that this master is there, however long there is nothing to order
			if err := stream.Send(&api.MasterMessage{}); err != nil {
				cancel(err)
			}
		case <-ctx.Done():
			why := context.Cause(ctx)
			l.post(func() { l.disconnect(c, why) })
			if errors.Is(why, io.EOF) {
				return nil
			}
			if fault.ClassOf(why) == fault.Permanent {
				l.config.Log.Warn("worker refused", "worker", c.hello.GetId(), "reason", why)
			}
			return why
		}
	}
}

// receive takes what a worker sends until its stream ends. The returned error says why.
func (l *leader) receive(ctx context.Context, stream api.Workers_ConnectServer, c *connection, late *time.Timer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if c.hello = first.GetHello(); c.hello == nil {
		return fault.As(fault.Permanent, errors.New("the first message has to be a Hello"))
	}
	late.Stop()
	if err := l.register(ctx, c); err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return err
		}
		s := m.GetHeartbeat()
		if s == nil {
			return fault.As(fault.Permanent, errors.New("want a Heartbeat"))
		}
		if err := l.do(ctx, func() { l.status(c, s) }); err != nil {
			return err
		}
	}
}

// register checks who the worker is and makes it a member.
func (l *leader) register(ctx context.Context, c *connection) error {
	h := c.hello
	if err := checkHello(h, l.config.Cluster); err != nil {
		return fault.As(fault.Permanent, err)
	}
	registered := make(chan error, 1)
	err := l.do(ctx, func() {
		l.propose(state.Register{Worker: h.GetId(), Incarnation: h.GetIncarnation(), Address: h.GetAddress(), At: time.Now()}, func(o replica.Outcome) {
			if o.Err == nil {
				l.connect(c)
			}
			if o.Err == nil && ctx.Err() != nil { // its stream has ended, but its epoch counts
				l.disconnect(c, context.Cause(ctx))
			}
			registered <- o.Err
		})
	})
	if err != nil {
		return err
	}
	select {
	case err := <-registered:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
