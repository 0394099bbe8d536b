package client

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"

	"fletch/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeCluster is what the masters of a cluster agree on.
type fakeCluster struct {
	masters []*fakeMaster

	mu struct {
		sync.Mutex
		leader    *fakeMaster // nil: none
		submitted map[string]int
		states    []string // of the one job, one for each change
		logs      []*api.LogLine
		plugins   map[string][]byte
		breakAt   int // a stream breaks behind so many messages, once, and another master leads; zero: never
	}
}

type fakeMaster struct {
	api.UnimplementedClusterServer
	cluster *fakeCluster
	address string
	server  *grpc.Server
	frozen  chan struct{} // while it is not nil, calls wait for its end
	calls   int           // other than Status
}

// start starts masters, of which the first leads.
func start(t *testing.T, n int) *fakeCluster {
	t.Helper()
	c := &fakeCluster{}
	c.mu.submitted, c.mu.plugins = map[string]int{}, map[string][]byte{}
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m := &fakeMaster{cluster: c, address: l.Addr().String(), server: grpc.NewServer(api.ServerOptions()...)}
		api.RegisterClusterServer(m.server, m)
		c.masters = append(c.masters, m)
		served := make(chan error, 1)
		go func() { served <- m.server.Serve(l) }()
		t.Cleanup(func() {
			c.thaw(m)
			m.server.Stop()
			if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
				t.Error(err)
			}
		})
	}
	c.lead(c.masters[0])
	return c
}

func (c *fakeCluster) lead(m *fakeMaster) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.leader = m
}

func (c *fakeCluster) freeze(m *fakeMaster) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.frozen = make(chan struct{})
}

func (c *fakeCluster) thaw(m *fakeMaster) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.frozen != nil {
		close(m.frozen)
		m.frozen = nil
	}
}

func (c *fakeCluster) addresses() []string {
	var list []string
	for _, m := range c.masters {
		list = append(list, m.address)
	}
	return list
}

// client returns a client that knows the masters with these indexes.
func (c *fakeCluster) client(t *testing.T, timeout time.Duration, known ...int) *Client {
	t.Helper()
	var addresses []string
	for _, i := range known {
		addresses = append(addresses, c.masters[i].address)
	}
	cl, err := New(Config{Masters: addresses, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cl.Close(); err != nil {
			t.Error(err)
		}
	})
	return cl
}

// enter begins a call that needs the leader.
func (m *fakeMaster) enter() error {
	m.wait()
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	m.calls++
	switch leader := m.cluster.mu.leader; leader {
	case m:
		return nil
	case nil:
		return &api.NotLeader{}
	default:
		return &api.NotLeader{Leader: leader.address}
	}
}

func (m *fakeMaster) wait() {
	m.cluster.mu.Lock()
	frozen := m.frozen
	m.cluster.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// sent tells whether a stream breaks behind its n-th message, where the next master takes over.
func (m *fakeMaster) sent(n int) error {
	c := m.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.breakAt == 0 || n < c.mu.breakAt {
		return nil
	}
	c.mu.breakAt = 0
	c.mu.leader = c.masters[(slices.Index(c.masters, m)+1)%len(c.masters)]
	return &api.NotLeader{}
}

func (m *fakeMaster) Status(context.Context, *api.StatusRequest) (*api.StatusReply, error) {
	m.wait()
	c := m.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	reply := &api.StatusReply{Cluster: "fake"}
	if c.mu.leader != nil {
		reply.Leader = c.mu.leader.address
	}
	for _, other := range c.masters {
		reply.Masters = append(reply.Masters, &api.Master{Address: other.address, Leader: other == c.mu.leader})
	}
	if c.mu.leader == m {
		reply.Workers = []*api.Worker{{Id: "w1", Address: "127.0.0.1:9", Pid: 42}}
		reply.Jobs = []*api.Job{{Id: "a-1", State: "running"}}
	}
	return reply, nil
}

func (m *fakeMaster) Submit(_ context.Context, r *api.SubmitRequest) (*api.SubmitReply, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	c := m.cluster
	c.mu.Lock()
	c.mu.submitted[r.GetId()]++
	c.mu.Unlock()
	if err := m.sent(1); err != nil { // the answer is lost
		return nil, err
	}
	return &api.SubmitReply{Id: r.GetId(), Warnings: []string{"mind the gap"}}, nil
}

func (m *fakeMaster) GetJob(_ context.Context, r *api.GetJobRequest) (*api.Job, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	if r.GetId() != "a-1" {
		return nil, &api.NotFound{What: "job " + r.GetId()}
	}
	return &api.Job{Id: "a-1", State: "running", User: "ada", SubmittedUnixNanos: 1e9}, nil
}

func (m *fakeMaster) WatchJob(_ *api.GetJobRequest, s grpc.ServerStreamingServer[api.Job]) error {
	if err := m.enter(); err != nil {
		return err
	}
	for i, state := range m.cluster.mu.states {
		if err := s.Send(&api.Job{Id: "a-1", State: state}); err != nil {
			return err
		}
		if err := m.sent(i + 1); err != nil {
			return err
		}
	}
	return nil
}

func (m *fakeMaster) JobLogs(_ *api.JobLogsRequest, s grpc.ServerStreamingServer[api.LogLine]) error {
	if err := m.enter(); err != nil {
		return err
	}
	for i, l := range m.cluster.mu.logs {
		if err := s.Send(l); err != nil {
			return err
		}
		if err := m.sent(i + 1); err != nil {
			return err
		}
	}
	return nil
}

func (m *fakeMaster) HavePlugin(_ context.Context, r *api.HavePluginRequest) (*api.HavePluginReply, error) {
	if err := m.enter(); err != nil {
		return nil, err
	}
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	return &api.HavePluginReply{Have: slices.Contains(slices.Collect(maps.Keys(m.cluster.mu.plugins)), r.GetSha256())}, nil
}

func (m *fakeMaster) PutPlugin(s grpc.ClientStreamingServer[api.PluginChunk, api.PutPluginReply]) error {
	if err := m.enter(); err != nil {
		return err
	}
	var first *api.PluginChunk
	var data []byte
	for n := 1; ; n++ {
		chunk, err := s.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if first == nil {
			first = chunk
		}
		data = append(data, chunk.GetData()...)
		if err := m.sent(n); err != nil {
			return err
		}
	}
	m.cluster.mu.Lock()
	defer m.cluster.mu.Unlock()
	if int64(len(data)) == first.GetSize() {
		m.cluster.mu.plugins[first.GetSha256()] = data
	}
	return s.SendAndClose(&api.PutPluginReply{})
}
