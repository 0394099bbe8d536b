package master

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/master/replica"
	"fletch/test/fakeworker"
)

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// cluster is some masters in this process, each with its directory and loopback port.
type cluster struct {
	t       *testing.T
	masters []*member
}

type member struct {
	config Config
	master *Master
	stop   func() // ends it and waits
}

func newCluster(t *testing.T, n int) *cluster {
	t.Helper()
	c := &cluster{t: t}
	var peers []replica.Server
	for i := range n {
		peers = append(peers, replica.Server{ID: fmt.Sprintf("m%d", i+1), Address: freeAddress(t), Voter: true})
	}
	for _, p := range peers {
		c.masters = append(c.masters, &member{config: Config{
			ID: p.ID, Dir: t.TempDir(), Listen: p.Address, Peers: peers, Cluster: "test", ElectionTimeout: 500 * time.Millisecond,
			LostAfter: 500 * time.Millisecond, Log: slog.New(slog.NewTextHandler(testLog{t}, nil)),
		}})
	}
	for _, m := range c.masters {
		c.start(m)
	}
	t.Cleanup(func() {
		for _, m := range c.masters {
			if m.stop != nil {
				m.stop()
			}
		}
	})
	return c
}

func (c *cluster) start(m *member) {
	c.t.Helper()
	var err error
	if m.master, err = New(m.config); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.master.Run(ctx) }()
	m.stop = func() {
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("master %s: %v", m.config.ID, err)
		}
		m.stop = nil
	}
}

// leader waits until a master leads.
func (c *cluster) leader() *member {
	c.t.Helper()
	var leading *member
	eventually(c.t, "a master leads", func() bool {
		for _, m := range c.masters {
			if m.stop != nil && m.master.leading.Load() != nil {
				leading = m
			}
		}
		return leading != nil
	})
	return leading
}

// client returns a client of the master that leads.
func (c *cluster) client() api.ClusterClient {
	c.t.Helper()
	connection, err := grpc.NewClient("passthrough:///"+c.leader().config.Listen, api.DialOptions()...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { connection.Close() })
	return api.NewClusterClient(connection)
}

// worker runs a fake worker for the rest of the test, or until the returned function is called.
func (c *cluster) worker(w *fakeworker.Worker) (stop func()) {
	for _, m := range c.masters {
		w.Masters = append(w.Masters, m.config.Listen)
	}
	if w.Incarnation == "" {
		w.Incarnation = "first"
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			c.t.Errorf("worker %s: %v", w.ID, err)
		}
	}
	c.t.Cleanup(stop)
	return stop
}

// plugin uploads bytes that pass for a plugin: masters never look inside.
func (c *cluster) plugin(client api.ClusterClient) (string, error) {
	data := bytes.Repeat([]byte("plugin "), 300_000)
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:])
	stream, err := client.PutPlugin(c.t.Context())
	if err != nil {
		return "", err
	}
	if err := api.SendPlugin(name, int64(len(data)), bytes.NewReader(data), stream.Send); err != nil {
		return "", err
	}
	_, err = stream.CloseAndRecv()
	return name, err
}

// submit submits a job, across changes of the leader, and fails the test if it is refused.
func (c *cluster) submit(r *api.SubmitRequest) {
	c.t.Helper()
	eventually(c.t, "a leader takes the job", func() bool {
		client := c.client()
		var err error
		if r.Plugin, err = c.plugin(client); err == nil {
			_, err = client.Submit(c.t.Context(), r)
		}
		if _, notLeader := errors.AsType[*api.NotLeader](err); err != nil && !notLeader {
			c.t.Fatal(err)
		}
		return err == nil
	})
}

// wait waits for the end of a job, across changes of the leader.
func (c *cluster) wait(id string) *api.Job {
	c.t.Helper()
	var job *api.Job
	eventually(c.t, "job "+id+" ends", func() bool {
		ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		defer cancel()
		j, err := c.client().GetJob(ctx, &api.GetJobRequest{Id: id})
		if err != nil {
			c.t.Logf("get job: %v", err)
			return false
		}
		job = j
		return j.GetState() != "running" && j.GetState() != "waiting"
	})
	return job
}

// eventually polls for what other goroutines bring about.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	late := time.After(patience)
	for !f() {
		select {
		case <-ticks.C:
		case <-late:
			t.Fatalf("after %v it is still not so that %s", patience, what)
		}
	}
}

// twoStages is a job of items that are shuffled and written to a directory.
func twoStages(output string, items int64) *api.Graph {
	return api.GraphOf(&plan.Graph{Job: "test", Nodes: []plan.Node{
		{ID: 0, Kind: plan.Source, Op: "Range", Site: "test:1", Type: "value: int64", Source: &plan.Input{Items: items, ItemBytes: 32 << 20}},
		{ID: 1, Kind: plan.Exchange, Op: "Count", Site: "test:2", Type: "key: int64, value: int64", Inputs: []int{0}, Exchange: &plan.Shuffle{Partitions: 4}},
		{ID: 2, Kind: plan.Sink, Op: "Write", Site: "test:3", Type: "key: int64", Inputs: []int{1}, Sink: &plan.Location{Path: output, Suffix: ".txt"}},
	}})
}

// succeed ends an attempt of twoStages as an executor does: a map task with blocks, a reduce task with parts in the
// output's staging directory.
func succeed(_ context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
	task := start.GetTask()
	if task.GetStage() == 0 {
		return fakeworker.Succeeded(start, &api.Result{
			Shuffles: []*api.ShuffleOutput{{Exchange: 1, Bytes: []int64{8 << 20, 8 << 20, 8 << 20, 8 << 20}}},
			Metrics:  &api.Metrics{RowsIn: 1},
		})
	}
	result := &api.Result{}
	for p := task.GetLo(); p < task.GetHi(); p++ {
		part, err := fakeworker.WritePart(job, start.GetAttempt(), 2, int(p), fmt.Sprintf("partition %d\n", p))
		if err != nil {
			return fakeworker.Failed(start, err)
		}
		result.Parts = append(result.Parts, part)
	}
	return fakeworker.Succeeded(start, result)
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// lines returns the lines of all parts of an output.
func lines(t *testing.T, output string) (n int) {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(output, "part-*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		n += bytes.Count(text, []byte("\n"))
	}
	return n
}

var errTest = errors.New("the test wants this attempt to fail")

// connect opens a worker's stream to the leader.
func (c *cluster) connect() (stream api.Workers_ConnectClient, end func()) {
	c.t.Helper()
	connection, err := grpc.NewClient("passthrough:///"+c.leader().config.Listen, api.DialOptions()...)
	if err != nil {
		c.t.Fatal(err)
	}
	stream, err = api.NewWorkersClient(connection).Connect(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return stream, func() { connection.Close() }
}

// introduce sends a Hello to the leader and returns why it is refused.
func (c *cluster) introduce(hello *api.Hello) error {
	c.t.Helper()
	stream, end := c.connect()
	defer end()
	if err := stream.Send(&api.WorkerMessage{Message: &api.WorkerMessage_Hello{Hello: hello}}); err != nil {
		return err
	}
	_, err := stream.Recv()
	return err
}
