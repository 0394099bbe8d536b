package executor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"

	"fletch/api"
	"fletch/engine"
	"fletch/engine/plan"
	"fletch/storage"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "executor" {
		os.Exit(child(os.Args[2:]))
	}
	// The race detector would have each child wait for a second at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// agent plays the part of the agent: one executor in this process is connected to it.
type agent struct {
	api.UnimplementedExecutorsServer
	t      *testing.T
	to     chan *api.AgentMessage
	from   chan *api.ExecutorMessage // room for plenty
	files  *net.UnixConn
	server *grpc.Server
	served chan error // the outcome of Serve

	mu       sync.Mutex
	refuse   bool                // to reserve memory
	asked    []string            // attempts for which memory was asked
	memory   map[string]*os.File // what was granted, by attempt
	logs     []*api.LogRecord
	progress []*api.AttemptProgress
}

// newAgent starts an executor in this process, whose plugins are made by open.
func newAgent(t *testing.T, open Opener) *agent {
	t.Helper()
	a, stream, files := listens(t)
	go func() { a.served <- Serve(context.Background(), Config{Open: open, Agent: stream, Files: files}) }()
	return a
}

// listens returns an agent, and the ends of its sockets that are the executor's.
func listens(t *testing.T) (a *agent, stream, files *net.UnixConn) {
	t.Helper()
	a = &agent{
		t: t, to: make(chan *api.AgentMessage), from: make(chan *api.ExecutorMessage, 1<<16), served: make(chan error, 1),
		memory: map[string]*os.File{},
	}
	ours, stream := pair(t, unix.SOCK_STREAM)
	a.files, files = pair(t, unix.SOCK_SEQPACKET)
	a.server = grpc.NewServer(api.ServerOptions()...)
	api.RegisterExecutorsServer(a.server, a)
	over := make(chan error, 1)
	go func() { over <- a.server.Serve(newOneConn(ours)) }()
	t.Cleanup(func() {
		a.server.Stop()
		<-over
		a.files.Close()
		for _, f := range a.memory {
			f.Close()
		}
	})
	return a, stream, files
}

// oneConn is a listener that yields one connection.
type oneConn struct {
	conn   chan net.Conn // room for one
	closed chan struct{}
	once   sync.Once
	net.Listener
}

func newOneConn(c net.Conn) *oneConn {
	l := &oneConn{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conn <- c
	return l
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "test", Net: "unix"} }

func pair(t *testing.T, kind int) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

func (a *agent) Connect(stream api.Executors_ConnectServer) error {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			m, err := stream.Recv()
			if err != nil {
				return
			}
			a.received(m)
		}
	}()
	for {
		select {
		case m := <-a.to:
			if m == nil {
				return nil
			}
			if err := stream.Send(m); err != nil {
				return err
			}
		case <-stream.Context().Done():
			<-ended
			return nil
		}
	}
}

// received keeps logs and progress, and hands on the rest.
func (a *agent) received(m *api.ExecutorMessage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch m := m.Message.(type) {
	case *api.ExecutorMessage_Log:
		a.logs = append(a.logs, m.Log)
	case *api.ExecutorMessage_Progress:
		a.progress = append(a.progress, m.Progress.Attempts...)
	}
	a.from <- m
}

func (a *agent) Reserve(_ context.Context, m *api.ReserveRequest) (*api.ReserveReply, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, m.Attempt)
	if a.refuse {
		return &api.ReserveReply{}, nil
	}
	fd, err := unix.MemfdCreate("output", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	a.memory[m.Attempt] = os.NewFile(uintptr(fd), m.Attempt)
	return &api.ReserveReply{Granted: true}, a.sendLocked(m.Attempt)
}

func (a *agent) OpenOutput(_ context.Context, m *api.OpenOutputRequest) (*api.OpenOutputReply, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.memory[m.Attempt] == nil {
		return &api.OpenOutputReply{}, nil
	}
	return &api.OpenOutputReply{Found: true}, a.sendLocked(m.Attempt)
}

func (a *agent) sendLocked(attempt string) error {
	_, _, err := a.files.WriteMsgUnix([]byte(attempt), unix.UnixRights(int(a.memory[attempt].Fd())), nil)
	return err
}

// send sends a message to the executor.
func (a *agent) send(m *api.AgentMessage) {
	a.t.Helper()
	select {
	case a.to <- m:
	case err := <-a.served:
		a.t.Fatalf("the executor has ended: %v", err)
	case <-time.After(patience):
		a.t.Fatal("the executor does not take a message")
	}
}

// next returns the next message of a kind; those of other kinds before it are passed over.
func next[T any](a *agent) T {
	a.t.Helper()
	late := time.After(patience)
	for {
		select {
		case m := <-a.from:
			if want, ok := m.Message.(T); ok {
				return want
			}
		case err := <-a.served:
			a.t.Fatalf("the executor has ended: %v", err)
		case <-late:
			a.t.Fatalf("no %T", *new(T))
		}
	}
}

// leave ends the connection and returns what the executor says to that.
func (a *agent) leave() error {
	a.t.Helper()
	a.server.Stop()
	select {
	case err := <-a.served:
		return err
	case <-time.After(patience):
		a.t.Fatal("the executor goes on without an agent")
		return nil
	}
}

// work is a job as a client and a master see it.
type work struct {
	graph  *plan.Graph
	stages []plan.Stage
	splits []plan.Split // of the first stage
	args   []string
	dir    string
}

// plans does what a client and a master do.
func plans(t *testing.T, declare func([]string) (*engine.Job, error), args ...string) *work {
	t.Helper()
	job, err := declare(args)
	if err != nil {
		t.Fatal(err)
	}
	graph, err := job.Graph()
	if err != nil {
		t.Fatal(err)
	}
	return planned(t, graph, args)
}

// planned does what a master does.
func planned(t *testing.T, graph *plan.Graph, args []string) *work {
	t.Helper()
	w := &work{graph: graph, args: args, dir: t.TempDir()}
	stages, err := plan.Stages(w.graph)
	if err != nil {
		t.Fatal(err)
	}
	facts := plan.Facts{Splits: map[int][]plan.Split{}, Partitions: 3}
	source := w.graph.Nodes[stages[0].Root].Source
	if len(source.Patterns) > 0 {
		packed, err := storage.Splits(t.Context(), source.Patterns)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range packed {
			for _, f := range s.Files {
				w.splits = append(w.splits, plan.Split{Files: []plan.FileRange{f}, Bytes: f.Length})
			}
		}
		facts.Splits[stages[0].Root] = w.splits
	} else {
		half := source.Items / 2
		w.splits = []plan.Split{{Count: half}, {First: half, Count: source.Items - half}}
	}
	if w.stages, err = plan.Settle(w.graph, stages, facts); err != nil {
		t.Fatal(err)
	}
	return w
}

// outputs stages the outputs, and returns a function that publishes one.
func (w *work) stage(t *testing.T) {
	t.Helper()
	for i := range w.graph.Nodes {
		if n := &w.graph.Nodes[i]; n.Kind == plan.Sink {
			if err := storage.Stage(fmt.Sprintf("job-%d", n.ID), *n.Sink); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (w *work) publish(t *testing.T, sink int, parts []plan.Part) {
	t.Helper()
	o, err := storage.AdoptOutput(fmt.Sprintf("job-%d", sink), *w.graph.Nodes[sink].Sink)
	if err == nil {
		err = o.Publish(parts)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// message is the order to load the job.
func (w *work) message() *api.Load {
	return &api.Load{
		Job: "job", Plugin: "job.so", Args: w.args, Graph: api.GraphOf(w.graph), Stages: api.StagesOf(w.stages), Dir: w.dir,
		MaxLineBytes: 1 << 20, Parallelism: 2, Slots: 8, Limits: &api.SetLimits{MemoryBytes: 256 << 20},
	}
}

// load has the executor load the job and returns its answer.
func (a *agent) load(m *api.Load) error {
	a.t.Helper()
	a.send(&api.AgentMessage{Message: &api.AgentMessage_Load{Load: m}})
	return next[*api.ExecutorMessage_Loaded](a).Loaded.Error.Err()
}

// start orders an attempt.
func (a *agent) start(name string, task plan.Task, producers uint64) {
	a.t.Helper()
	a.send(&api.AgentMessage{Message: &api.AgentMessage_Start{Start: &api.StartAttempt{Attempt: name, Task: api.TaskOf(&task), Producers: producers}}})
}

// startSplits orders an attempt for each split and returns their names.
func (a *agent) startSplits(w *work) (names []string) {
	a.t.Helper()
	for i := range w.splits {
		names = append(names, fmt.Sprintf("map-%d", i))
		a.start(names[i], plan.Task{Index: i, Split: &w.splits[i]}, 0)
	}
	return names
}

// ends waits for the ends of so many attempts, in the order of their names.
func (a *agent) ends(n int) []*api.AttemptEnded {
	a.t.Helper()
	var all []*api.AttemptEnded
	for range n {
		all = append(all, next[*api.ExecutorMessage_Ended](a).Ended)
	}
	slices.SortFunc(all, func(x, y *api.AttemptEnded) int { return strings.Compare(x.Attempt, y.Attempt) })
	return all
}

// succeeded returns the results of so many attempts.
func (a *agent) succeeded(n int) (results []*plan.Result) {
	a.t.Helper()
	for _, e := range a.ends(n) {
		if e.Error != nil {
			a.t.Fatalf("attempt %s: %v", e.Attempt, e.Error.Err())
		}
		r, err := e.Result.Plan()
		if err != nil {
			a.t.Fatal(err)
		}
		results = append(results, r)
	}
	return results
}

// producers says that the attempts have written, on this worker, what a stage reads of its root.
func (a *agent) producers(stage *plan.Stage, version uint64, attempts []string) {
	a.t.Helper()
	m := &api.Producers{Stage: int32(stage.ID), Version: version, Workers: []string{""}, Attempts: attempts, Holders: make([]uint32, len(attempts))}
	m.Exchanges = []*api.ExchangeProducers{{Exchange: int32(stage.Root)}}
	for i := range attempts {
		m.Exchanges[0].Attempts = append(m.Exchanges[0].Attempts, uint32(i))
	}
	a.send(&api.AgentMessage{Message: &api.AgentMessage_Producers{Producers: m}})
}

// content returns the files of an output, by name, without the manifest.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	names, err := filepath.Glob(filepath.Join(dir, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(b)
	}
	if len(files) == 0 {
		t.Fatal(errors.New("there is no output in " + dir))
	}
	return files
}
