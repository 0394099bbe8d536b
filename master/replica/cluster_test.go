package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fletch/engine/plan"
	"fletch/master/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of the tests.
const patience = 20 * time.Second

// cluster is masters in this process, over real connections and directories.
type cluster struct {
	t       testing.TB
	servers []Server
	masters map[string]*master
	limits  limits // zero: the default

	mu sync.RWMutex // guards the masters' replicas while they are restarted
}

// master is one of them. Its directory and address outlive its replica.
type master struct {
	Server
	dir     string
	replica *Replica
	stop    func() error // ends Run and returns its error
	fails   bool         // Run is meant to fail
}

func newCluster(t testing.TB, n int) *cluster { return newClusterWith(t, n, limits{}) }

func newClusterWith(t testing.TB, n int, l limits) *cluster {
	c := &cluster{t: t, masters: make(map[string]*master), limits: l}
	dir := t.TempDir()
	var listeners []net.Listener
	for i := range n {
		l := listen(t, "127.0.0.1:0")
		listeners = append(listeners, l)
		s := Server{ID: fmt.Sprintf("m%d", i+1), Address: l.Addr().String(), Voter: true}
		c.servers = append(c.servers, s)
		c.masters[s.ID] = &master{Server: s, dir: filepath.Join(dir, s.ID)}
	}
	for i, s := range c.servers {
		c.run(s.ID, Config{Listener: listeners[i], Bootstrap: c.servers})
	}
	t.Cleanup(c.close)
	return c
}

var discard = slog.New(slog.DiscardHandler)

func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run starts a master with the defaults of the tests filled in.
func (c *cluster) run(id string, config Config) {
	c.t.Helper()
	r := c.open(id, config)
	m := c.masters[id]
	m.replica, m.stop = r, start(r.Run)
}

// runWith starts a master on a store that is put around its own, and returns what Run does. It is expected to fail.
func (c *cluster) runWith(id string, config Config, wrap func(store) store) <-chan error {
	r, m := c.open(id, config), c.masters[id]
	ended := make(chan error, 1)
	m.replica, m.fails = r, true
	m.stop = start(func(ctx context.Context) error {
		err := r.run(ctx, func(config Config) (store, error) {
			s, err := openLog(config)
			return wrap(s), err
		})
		ended <- err
		return err
	})
	return ended
}

func (c *cluster) open(id string, config Config) *Replica {
	c.t.Helper()
	m := c.masters[id]
	if config.Listener == nil {
		config.Listener = listen(c.t, m.Address)
	}
	config.ID, config.Address, config.Dir, config.Cluster = m.ID, m.Address, m.dir, "test"
	config.ElectionTimeout = 300 * time.Millisecond
	if os.Getenv("FLETCH_TEST_LOG") != "" {
		config.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("master", id)
	}
	r, err := open(config, cmp.Or(c.limits, defaultLimits))
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// start runs f until stop is called, which returns its error.
func start(f func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	return sync.OnceValue(func() error {
		cancel()
		return <-done
	})
}

// receive waits for a channel.
func receive[T any](t testing.TB, from <-chan T) T {
	t.Helper()
	select {
	case x := <-from:
		return x
	case <-time.After(patience):
		t.Fatal("nothing has come in time")
		panic("unreachable")
	}
}

func (c *cluster) stop(ids ...string) {
	c.t.Helper()
	var stops sync.WaitGroup
	for _, id := range ids {
		stops.Go(func() {
			if err := c.masters[id].stop(); err != nil {
				c.t.Errorf("stop %s: %v", id, err)
			}
		})
	}
	stops.Wait()
}

// restart stops a master and starts it again on its directory, while others use the cluster.
func (c *cluster) restart(id string) {
	c.t.Helper()
	c.stop(id)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run(id, Config{})
}

// close stops all masters.
func (c *cluster) close() {
	var stops sync.WaitGroup
	for _, m := range c.masters {
		if m.stop != nil {
			stops.Go(func() {
				if err := m.stop(); (err != nil) != m.fails {
					c.t.Errorf("%s ended with: %v", m.ID, err)
				}
			})
		}
	}
	stops.Wait()
}

// leader waits for a leader that has taken over.
func (c *cluster) leader() *master {
	c.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if m := c.tryLeader(); m != nil {
			return m
		}
		<-time.After(5 * time.Millisecond)
	}
	c.t.Fatal("no leader was elected")
	return nil
}

func (c *cluster) tryLeader() *master {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, m := range c.masters {
		if m.replica != nil && m.replica.Verify(c.context()) == nil {
			copied := *m
			return &copied
		}
	}
	return nil
}

func (c *cluster) followers() []*master {
	leader := c.leader()
	var out []*master
	for _, s := range c.servers {
		if s.ID != leader.ID {
			out = append(out, c.masters[s.ID])
		}
	}
	return out
}

func (c *cluster) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	time.AfterFunc(2*patience, cancel)
	return ctx
}

// apply applies commands as a master does: with the leader, and again where their fate is not known.
func (c *cluster) apply(commands ...state.Command) []Outcome {
	c.t.Helper()
	for {
		outcomes := c.leader().replica.Apply(c.context(), commands...)
		again := false
		for _, o := range outcomes {
			var notLeader *NotLeaderError
			again = again || errors.As(o.Err, &notLeader) || errors.Is(o.Err, ErrUnknown)
		}
		if !again {
			return outcomes
		}
	}
}

// must is apply for commands that nothing may refuse.
func (c *cluster) must(commands ...state.Command) {
	c.t.Helper()
	for i, o := range c.apply(commands...) {
		if o.Err != nil {
			c.t.Fatalf("command %d: %v", i, o.Err)
		}
	}
}

// eventually waits until a master's state is as wanted.
func eventually(t testing.TB, r *Replica, what string, want func(*state.Machine) bool) {
	t.Helper()
	timeout := time.After(patience)
	for {
		changed := r.Changed()
		ok := false
		r.Read(func(m *state.Machine) { ok = want(m) })
		if ok {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("%s: never %s", r.config.ID, what)
		}
	}
}

func has(id string) func(*state.Machine) bool {
	return func(m *state.Machine) bool { return m.Job(id) != nil }
}

var epoch = time.Unix(1_700_000_000, 0).UTC()

// submitOf is a job that reads tasks splits and writes one part for each.
func submitOf(id string, tasks int) state.Submit {
	splits := make([]plan.Split, tasks)
	for i := range splits {
		splits[i] = plan.Split{Files: []plan.FileRange{{Path: fmt.Sprintf("/data/in/part-%05d.txt", i), Length: 1 << 20, Size: 1 << 20}}, Bytes: 1 << 20}
	}
	return state.Submit{
		ID: id, At: epoch, Splits: map[int][]plan.Split{0: splits},
		Graph: &plan.Graph{Job: "test", Nodes: []plan.Node{
			{ID: 0, Op: "Read", Site: "main.go:7", Type: "string", Source: &plan.Input{Patterns: []string{"/data/in/*"}}},
			{ID: 1, Kind: plan.Sink, Op: "Write", Site: "main.go:8", Inputs: []int{0}, Sink: &plan.Location{Path: "/data/out/" + id, Suffix: ".csv"}},
		}},
	}
}

func planOf(submit state.Submit) state.Plan {
	p := state.Plan{Job: submit.ID, At: epoch}
	for i := range submit.Splits[0] {
		p.Tasks = append(p.Tasks, plan.Task{Index: i, Split: &submit.Splits[0][i]})
	}
	return p
}

func commitOf(job string, task int) state.Commit {
	id := state.AttemptID{Job: job, Task: task, Term: 2, Number: uint64(task)}
	return state.Commit{Attempt: id, At: epoch, Result: plan.Result{
		Parts:    []plan.Part{{Sink: 1, Partition: task, Name: id.String() + ".csv", Rows: 1000, Bytes: 1 << 20, CRC32C: 0xdeadbeef}},
		Counters: map[string]int64{"bad lines": 3},
		Metrics:  plan.Metrics{RowsIn: 1000, BytesIn: 1 << 20, RowsOut: 1000, BytesOut: 1 << 20},
	}}
}
