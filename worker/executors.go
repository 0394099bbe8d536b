package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"fletch/api"
)

// executorHost is what executors ask the agent for.
type executorHost interface {
	// heard takes a message of an executor's stream. Those of one executor come in order.
	heard(c *child, m *api.ExecutorMessage)
	// reserve makes a memory file for the output of an attempt, or returns nil if it has to go to a file.
	reserve(c *child, attempt string, bytes int64) (*os.File, error)
	// openOutput returns the file of an output, or nil.
	openOutput(c *child, attempt string) (*os.File, error)
}

// An executor that does not answer a ping for so long hangs, whatever its job's code does. It is longer than among
// machines, as an executor may have to wait for a core.
const (
	pingAfter = 20 * time.Second
	pingTime  = 40 * time.Second
)

// executorServer serves one executor.
type executorServer struct {
	api.UnimplementedExecutorsServer
	child     *child
	socks     *sockets
	host      executorHost
	server    *grpc.Server
	listener  *oneConn
	receivers sync.WaitGroup
	connected sync.Once
}

func newExecutorServer(c *child, socks *sockets, host executorHost) *executorServer {
	s := &executorServer{
		child: c, socks: socks, host: host, listener: newOneConn(socks.messages),
		server: grpc.NewServer(append(api.ServerOptions(), grpc.WaitForHandlers(true),
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingAfter, Timeout: pingTime}))...),
	}
	api.RegisterExecutorsServer(s.server, s)
	return s
}

func (s *executorServer) serve() error {
	err := s.server.Serve(s.listener)
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// stop ends all calls and waits for their handlers: what they have taken for an attempt is there to be given back then.
func (s *executorServer) stop() {
	s.server.Stop()
	s.receivers.Wait()
}

// Connect serves the executor's one stream. It ends it when the executor has been told to end.
func (s *executorServer) Connect(stream grpc.BidiStreamingServer[api.ExecutorMessage, api.AgentMessage]) error {
	first := false
	s.connected.Do(func() { first = true })
	if !first {
		return errors.New("an executor has one stream")
	}
	defer close(s.child.hungUp)
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	if m.GetHello() == nil {
		return errors.New("a stream begins with Hello")
	}
	close(s.child.spoke)
	ctx, cancel := context.WithCancel(stream.Context())
	s.receivers.Go(func() {
		defer cancel()
		for {
			m, err := stream.Recv()
			if err != nil {
				return // the child's actor sees the end
			}
			s.host.heard(s.child, m)
		}
	})
	for {
		messages := s.child.out.take(ctx)
		if len(messages) == 0 {
			return nil
		}
		for _, m := range messages {
			if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
		}
	}
}

// Reserve implements api.ExecutorsServer.
func (s *executorServer) Reserve(_ context.Context, q *api.ReserveRequest) (*api.ReserveReply, error) {
	f, err := s.host.reserve(s.child, q.GetAttempt(), q.GetBytes())
	if err != nil {
		return nil, err
	}
	if err := s.hand(q.GetAttempt(), f); err != nil {
		return nil, err
	}
	return &api.ReserveReply{Granted: f != nil}, nil
}

// OpenOutput implements api.ExecutorsServer.
func (s *executorServer) OpenOutput(_ context.Context, q *api.OpenOutputRequest) (*api.OpenOutputReply, error) {
	f, err := s.host.openOutput(s.child, q.GetAttempt())
	if err != nil {
		return nil, err
	}
	if err := s.hand(q.GetAttempt(), f); err != nil {
		return nil, err
	}
	return &api.OpenOutputReply{Found: f != nil}, nil
}

// hand sends f to the executor, if there is one, and closes it.
func (s *executorServer) hand(attempt string, f *os.File) error {
	if f == nil {
		return nil
	}
	if err := errors.Join(s.socks.send(attempt, f), f.Close()); err != nil {
		return fmt.Errorf("send the file of %s: %w", attempt, err)
	}
	return nil
}
