package master

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"fletch/api"
	"fletch/fault"
	"fletch/test/fakeworker"
)

func TestJobRunsToItsEnd(t *testing.T) {
	c := newCluster(t, 1)
	w := &fakeworker.Worker{ID: "w1", Slots: 2, Attempt: succeed}
	c.worker(w)
	output := filepath.Join(t.TempDir(), "out")
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(output, 10), User: "somebody"})
	j := c.wait("job-1")
	if j.GetState() != "succeeded" || j.GetError() != "" {
		t.Fatalf("the job is %s: %s", j.GetState(), j.GetError())
	}
	if n := lines(t, output); n != 4 {
		t.Errorf("the output has %d lines, want one of each partition", n)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(output), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	eventually(t, "the worker has let go of the job", func() bool { return len(w.Jobs()) == 0 })
	reply, err := c.client().Audit(t.Context(), &api.AuditRequest{})
	if err != nil || len(reply.GetEntries()) != 1 || !strings.HasPrefix(reply.GetEntries()[0].GetUser(), "somebody from 127.0.0.1") {
		t.Errorf("audit log %v, %v", reply, err)
	}
}

func TestSubmitAgain(t *testing.T) {
	c := newCluster(t, 1)
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 2, Attempt: succeed})
	dir := t.TempDir()
	request := &api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(dir, "out"), 10)}
	c.submit(request)
	c.wait("job-1")
	c.submit(request) // its sender may not have heard the first answer
	other := &api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(dir, "other"), 10), Plugin: request.GetPlugin()}
	if _, err := c.client().Submit(t.Context(), other); err == nil || !strings.Contains(err.Error(), "is another one") {
		t.Errorf("another job of the same id: %v", err)
	}
	next := &api.SubmitRequest{Id: "job-2", Graph: twoStages(filepath.Join(dir, "out"), 10), Plugin: request.GetPlugin()}
	if _, err := c.client().Submit(t.Context(), next); err == nil || !strings.Contains(err.Error(), "already exists") || fault.ClassOf(err) != fault.Permanent {
		t.Errorf("an output that exists: %v", err)
	}
}

func TestUnknownPluginIsRefused(t *testing.T) {
	c := newCluster(t, 1)
	r := &api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(t.TempDir(), "out"), 10), Plugin: strings.Repeat("ab", 32)}
	if _, err := c.client().Submit(t.Context(), r); err == nil || !strings.Contains(err.Error(), "there is no plugin abab") {
		t.Errorf("submit: %v", err)
	}
}

func TestFailingTaskFailsTheJob(t *testing.T) {
	c := newCluster(t, 1)
	var tries atomic.Int32
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 2, Attempt: func(ctx context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
		if start.GetTask().GetStage() == 1 && start.GetTask().GetIndex() == 0 {
			tries.Add(1)
			return fakeworker.Failed(start, fault.As(fault.User, errTest))
		}
		return succeed(ctx, job, start)
	}})
	output := filepath.Join(t.TempDir(), "out")
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(output, 10)})
	j := c.wait("job-1")
	if j.GetState() != "failed" || !strings.Contains(j.GetError(), errTest.Error()) || tries.Load() != 3 {
		t.Errorf("the job is %s after %d tries: %s", j.GetState(), tries.Load(), j.GetError())
	}
	eventually(t, "nothing of the output is left", func() bool {
		left, err := os.ReadDir(filepath.Dir(output))
		return err == nil && len(left) == 0
	})
}

func TestCancel(t *testing.T) {
	c := newCluster(t, 1)
	started := make(chan struct{}, 100)
	stopped := make(chan struct{}, 100)
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 2, Attempt: func(ctx context.Context, _ *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
		started <- struct{}{}
		<-ctx.Done()
		stopped <- struct{}{}
		return fakeworker.Failed(start, fault.As(fault.Cancelled, ctx.Err()))
	}})
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(t.TempDir(), "out"), 10)})
	<-started
	j, err := c.client().CancelJob(t.Context(), &api.CancelJobRequest{Id: "job-1", User: "somebody"})
	if err != nil || j.GetState() != "cancelled" {
		t.Fatalf("cancel: %v, %v", j, err)
	}
	<-stopped
	if _, err := c.client().CancelJob(t.Context(), &api.CancelJobRequest{Id: "job-2"}); err == nil || !strings.Contains(err.Error(), "there is no job job-2") {
		t.Errorf("cancel of a job that is not there: %v", err)
	}
}

func TestLostWorkersTasksRunElsewhere(t *testing.T) {
	c := newCluster(t, 1)
	var second atomic.Bool
	stop := c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: func(ctx context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
		if start.GetTask().GetStage() == 1 {
			second.Store(true)
			return nil // it runs until the worker is gone
		}
		return succeed(ctx, job, start)
	}})
	output := filepath.Join(t.TempDir(), "out")
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(output, 10)})
	eventually(t, "the second stage runs on w1", second.Load)
	stop()
	var maps atomic.Int32
	c.worker(&fakeworker.Worker{ID: "w2", Slots: 10, Attempt: func(ctx context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
		if start.GetTask().GetStage() == 0 {
			maps.Add(1)
		}
		return succeed(ctx, job, start)
	}})
	if j := c.wait("job-1"); j.GetState() != "succeeded" {
		t.Fatalf("the job is %s: %s", j.GetState(), j.GetError())
	}
	if maps.Load() != 10 {
		t.Errorf("%d map tasks ran again; w1 had the output of all 10", maps.Load())
	}
	if n := lines(t, output); n != 4 {
		t.Errorf("the output has %d lines, want 4", n)
	}
}

func TestLeaderChangesInMidJob(t *testing.T) {
	c := newCluster(t, 3)
	release := make(chan struct{})
	var maps, reduces atomic.Int32
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: func(ctx context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
		if start.GetTask().GetStage() == 0 {
			maps.Add(1)
		} else {
			reduces.Add(1)
			<-release
		}
		return succeed(ctx, job, start)
	}})
	output := filepath.Join(t.TempDir(), "out")
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(output, 10)})
	eventually(t, "the reduce tasks run", func() bool { return reduces.Load() > 0 })
	ordered := reduces.Load()
	c.leader().stop()
	c.leader()
	close(release)
	if j := c.wait("job-1"); j.GetState() != "succeeded" {
		t.Fatalf("the job is %s: %s", j.GetState(), j.GetError())
	}
	if maps.Load() != 10 {
		t.Errorf("map tasks ran %d times, want 10: completed tasks must not run again", maps.Load())
	}
	if n := reduces.Load(); n > max(ordered, 4) {
		t.Errorf("reduce tasks ran %d times after %d: attempts that are well must go on", n, ordered)
	}
	if n := lines(t, output); n != 4 {
		t.Errorf("the output has %d lines, want 4", n)
	}
}

func TestFollowerNamesTheLeader(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	for _, m := range c.masters {
		if m == leader {
			continue
		}
		peer, err := leader.master.peers.cluster(m.config.Listen)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the follower knows the leader", func() bool {
			_, err = peer.GetJob(t.Context(), &api.GetJobRequest{Id: "job-1"})
			return err != nil && strings.Contains(err.Error(), leader.config.Listen)
		})
	}
}

func TestForeignWorkerIsRefused(t *testing.T) {
	c := newCluster(t, 1)
	for _, hello := range []*api.Hello{
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "another", Address: "127.0.0.1:1"},
		{Id: "w1", Incarnation: "x", Slots: 0, Cluster: "test", Address: "127.0.0.1:1"},
		{Id: "w1", Incarnation: "x", Slots: maxSlots + 1, Cluster: "test", Address: "127.0.0.1:1"},
		{Id: "w1", Incarnation: "x", Slots: -1, Cluster: "test", Address: "127.0.0.1:1"},
		{Id: "../../w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: "127.0.0.1:1"},
		{Id: "w1", Slots: 1, Cluster: "test", Address: "127.0.0.1:1"},
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test"},
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: "127.0.0.1"},
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: ":80"},
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: "127.0.0.1:0"},
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: "127.0.0.1:http"},
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: "u@host/path?:80"},
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: "127.0.0.1:1", Version: strings.Repeat("v", maxVersionText+1)},
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: "127.0.0.1:1", Running: make([]string, maxReported+1)},
		{Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: "127.0.0.1:1", Jobs: make([]string, maxReported+1)},
	} {
		if err := c.introduce(hello); err == nil || fault.ClassOf(err) != fault.Permanent {
			t.Errorf("hello %v: %v", hello, err)
		}
	}
}

// TestIdleWorkersHearOfTheirLeader checks that a worker without orders is not left in silence.
func TestIdleWorkersHearOfTheirLeader(t *testing.T) {
	c := newCluster(t, 1)
	stream, end := c.connect()
	defer end()
	if err := stream.Send(&api.WorkerMessage{Message: &api.WorkerMessage_Hello{Hello: &api.Hello{
		Id: "w1", Incarnation: "x", Slots: 1, Cluster: "test", Address: "127.0.0.1:1",
	}}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a welcome", "a heartbeat"} {
		m, err := stream.Recv()
		if err != nil || (m.GetWelcome() != nil) != (want == "a welcome") {
			t.Fatalf("want %s: %v, %v", want, m, err)
		}
	}
}

// TestPluginIsOnAQuorum checks that an acknowledged plugin is on the disks of a majority, and that masters get from each
// other what they lack.
func TestPluginIsOnAQuorum(t *testing.T) {
	c := newCluster(t, 3)
	down := c.masters[0]
	if c.leader() == down {
		down = c.masters[1]
	}
	down.stop()
	leader := c.leader()
	sum, err := c.plugin(c.client())
	if err != nil {
		t.Fatal(err)
	}
	holders := func() (n int) {
		for _, m := range c.masters {
			if _, err := os.Stat(filepath.Join(m.config.Dir, "plugins", sum)); err == nil {
				n++
			}
		}
		return n
	}
	if n := holders(); n != 2 {
		t.Fatalf("%d masters have the plugin, want the two that are there", n)
	}
	c.start(down)
	peer, err := leader.master.peers.cluster(down.config.Listen)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the master that was down gets the plugin from the others", func() bool {
		stream, err := peer.GetPlugin(t.Context(), &api.GetPluginRequest{Sha256: sum})
		if err != nil {
			return false
		}
		chunk, err := stream.Recv()
		return err == nil && chunk.GetSha256() == sum
	})
	if n := holders(); n != 3 {
		t.Errorf("%d masters have the plugin, want 3", n)
	}
}

// TestPluginWithoutAQuorum checks that a plugin that only a minority can have is not acknowledged.
func TestPluginWithoutAQuorum(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	for _, m := range c.masters {
		if m != leader {
			if err := os.RemoveAll(filepath.Join(m.config.Dir, "plugins")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := c.plugin(c.client()); err == nil || !strings.Contains(err.Error(), "not on a majority of the masters") {
		t.Errorf("error %v", err)
	}
}

// TestDamagedPluginIsRefused checks that what does not have its SHA-256 is stored nowhere.
func TestDamagedPluginIsRefused(t *testing.T) {
	c := newCluster(t, 3)
	for _, size := range []int64{100, maxRelayed + 1} {
		stream, err := c.client().PutPlugin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&api.PluginChunk{Sha256: strings.Repeat("ab", 32), Size: size, Data: make([]byte, 100)}); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.CloseAndRecv(); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for _, m := range c.masters {
		eventually(t, "nothing is left of it", func() bool {
			left, err := os.ReadDir(filepath.Join(m.config.Dir, "plugins"))
			return err == nil && len(left) == 0
		})
	}
}
