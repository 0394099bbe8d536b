package worker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"fletch/api"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// fakeMaster leads, or sends workers to another one.
type fakeMaster struct {
	api.UnimplementedWorkersServer
	api.UnimplementedClusterServer
	t        testing.TB
	address  string
	server   *grpc.Server
	sessions chan *session // room for many
	fetches  int

	mu      sync.Mutex
	leader  string // where this one does not lead
	refuse  error
	welcome *api.Welcome
	plugins map[string][]byte
}

// session is a stream of a worker.
type session struct {
	t      testing.TB
	hello  *api.Hello
	stream grpc.BidiStreamingServer[api.WorkerMessage, api.MasterMessage]
	ended  chan *api.AttemptEnded // room for many
	beats  chan *api.Heartbeat    // room for many; the surplus is dropped
	cut    context.CancelFunc
	gone   chan struct{} // closed when the stream has ended
}

func newFakeMaster(t testing.TB) *fakeMaster {
	m := &fakeMaster{t: t, sessions: make(chan *session, 100), plugins: map[string][]byte{}}
	m.welcome = &api.Welcome{Cluster: "test", Term: 1, Epoch: 1, HeartbeatMillis: 30, SilenceMillis: 60_000}
	m.listen("127.0.0.1:0")
	t.Cleanup(func() { m.server.Stop() })
	return m
}

func (m *fakeMaster) listen(address string) {
	m.t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		m.t.Fatal(err)
	}
	m.address = l.Addr().String()
	m.server = grpc.NewServer(api.ServerOptions()...)
	api.RegisterWorkersServer(m.server, m)
	api.RegisterClusterServer(m.server, m)
	go func() { _ = m.server.Serve(l) }()
}

// set changes what the master answers.
func (m *fakeMaster) set(f func(*fakeMaster)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

func (m *fakeMaster) Connect(stream grpc.BidiStreamingServer[api.WorkerMessage, api.MasterMessage]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	m.mu.Lock()
	leader, welcome, refuse := m.leader, m.welcome, m.refuse
	m.mu.Unlock()
	if leader != "" {
		return &api.NotLeader{Leader: leader}
	}
	if refuse != nil {
		return refuse
	}
	if first.GetHello() == nil {
		return errors.New("no hello")
	}
	if err := stream.Send(&api.MasterMessage{Message: &api.MasterMessage_Welcome{Welcome: welcome}}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(stream.Context())
	s := &session{
		t: m.t, hello: first.GetHello(), stream: stream, ended: make(chan *api.AttemptEnded, 1000), beats: make(chan *api.Heartbeat, 1000),
		cut: cancel, gone: make(chan struct{}),
	}
	defer close(s.gone)
	m.sessions <- s
	go func() {
		defer cancel()
		for {
			message, err := stream.Recv()
			if err != nil {
				return
			}
			for _, e := range message.GetHeartbeat().GetEnded() {
				s.ended <- e
			}
			select {
			case s.beats <- message.GetHeartbeat():
			default:
			}
		}
	}()
	<-ctx.Done()
	return nil
}

func (m *fakeMaster) GetPlugin(q *api.GetPluginRequest, stream grpc.ServerStreamingServer[api.PluginChunk]) error {
	m.mu.Lock()
	data, ok := m.plugins[q.Sha256]
	m.fetches++
	m.mu.Unlock()
	if !ok {
		return &api.NotFound{What: "plugin " + q.Sha256}
	}
	first := &api.PluginChunk{Sha256: q.Sha256, Size: int64(len(data))}
	for _, c := range bytes.SplitAfter(data, []byte("\n")) {
		first.Data = c
		if err := stream.Send(first); err != nil {
			return err
		}
		first = &api.PluginChunk{}
	}
	return nil
}

// plugin gives the master a plugin, and returns its SHA-256.
func (m *fakeMaster) plugin(text string) string {
	sum := sha256.Sum256([]byte(text))
	name := hex.EncodeToString(sum[:])
	m.set(func(m *fakeMaster) { m.plugins[name] = []byte(text) })
	return name
}

// session returns the next stream of a worker.
func (m *fakeMaster) session() *session {
	m.t.Helper()
	return receive(m.t, m.sessions, "a worker's stream")
}

func receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case x := <-c:
		return x
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("not reached")
	}
}

func (s *session) send(m *api.MasterMessage) {
	s.t.Helper()
	if err := s.stream.Send(m); err != nil {
		s.t.Fatal(err)
	}
}

// job orders a job whose attempts do what the scripts say; see fakeExecutor.
func (s *session) job(id, plugin string, scripts ...string) {
	s.t.Helper()
	s.send(&api.MasterMessage{Message: &api.MasterMessage_Job{Job: &api.JobOrder{
		Job: id, Plugin: plugin, Args: scripts, MaxLineBytes: 1 << 20,
		Graph:  &api.Graph{Job: id, Nodes: []*api.Node{{Op: "Read", Site: "main.go:7"}, {Id: 1, Op: "Map", Site: "main.go:8"}}},
		Stages: []*api.Stage{{Nodes: []int32{0, 1}}},
	}}})
}

// start orders the attempt at the task of that index.
func (s *session) start(job, attempt string, index int32) {
	s.t.Helper()
	s.send(&api.MasterMessage{Message: &api.MasterMessage_Start{Start: &api.StartOrder{
		Attempt: attempt, Job: job, Task: &api.Task{Index: index}}}})
}

func (s *session) stop(attempt, reason string) {
	s.t.Helper()
	s.send(&api.MasterMessage{Message: &api.MasterMessage_Stop{Stop: &api.StopOrder{Attempt: attempt, Reason: reason}}})
}

func (s *session) done(attempts ...string) {
	s.t.Helper()
	s.send(&api.MasterMessage{Message: &api.MasterMessage_Done{Done: &api.Done{Attempts: attempts}}})
}

func (s *session) endJob(job string) {
	s.t.Helper()
	s.send(&api.MasterMessage{Message: &api.MasterMessage_EndJob{EndJob: &api.EndJob{Job: job}}})
}

// running waits until executors have the attempts.
func (s *session) running(attempts ...string) {
	s.t.Helper()
	for {
		seen := map[string]bool{}
		for _, p := range receive(s.t, s.beats, "heartbeats").GetProgress() {
			seen[p.Attempt] = true
		}
		if !slices.ContainsFunc(attempts, func(a string) bool { return !seen[a] }) {
			return
		}
	}
}

// end returns the next end of an attempt, which it acknowledges. Repetitions are left out.
func (s *session) end(attempt string) *api.AttemptEnded {
	s.t.Helper()
	for {
		e := receive(s.t, s.ended, "the end of "+attempt)
		s.done(e.Attempt)
		if e.Attempt == attempt {
			return e
		}
	}
}

// ends returns the ends of attempts, whichever comes first.
func (s *session) ends(attempts ...string) map[string]*api.AttemptEnded {
	s.t.Helper()
	all := map[string]*api.AttemptEnded{}
	for len(all) < len(attempts) {
		e := receive(s.t, s.ended, "the ends of attempts")
		s.done(e.Attempt)
		all[e.Attempt] = e
	}
	return all
}
