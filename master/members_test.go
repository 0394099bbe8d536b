package master

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"fletch/api"
	"fletch/fault"
	"fletch/test/fakeworker"
)

// TestHistorySurvivesRestarts ends all masters and begins them again.
func TestHistorySurvivesRestarts(t *testing.T) {
	c := newCluster(t, 3)
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 4, Attempt: succeed})
	output := filepath.Join(t.TempDir(), "out")
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(output, 10), User: "somebody"})
	before := c.wait("job-1")
	for _, m := range c.masters {
		m.stop()
	}
	for _, m := range c.masters {
		c.start(m)
	}
	after := c.wait("job-1")
	if after.GetState() != "succeeded" || after.GetName() != before.GetName() || len(after.GetStages()) != 2 || after.GetOutputs()[0].GetRows() != 4 {
		t.Errorf("after the restart the job is %v, before it was %v", after, before)
	}
	reply, err := c.client().Audit(t.Context(), &api.AuditRequest{})
	if err != nil || len(reply.GetEntries()) != 1 || reply.GetEntries()[0].GetSubject() != "job-1" {
		t.Errorf("audit log %v, %v", reply, err)
	}
	c.submit(&api.SubmitRequest{Id: "job-2", Graph: twoStages(output+"-2", 10)})
	if j := c.wait("job-2"); j.GetState() != "succeeded" {
		t.Errorf("the next job is %s: %s", j.GetState(), j.GetError())
	}
}

// TestMembers removes a master that is gone and adds another one.
func TestMembers(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	gone := c.masters[0]
	if gone == leader {
		gone = c.masters[1]
	}
	gone.stop()
	id := gone.config.ID
	reply, err := c.client().RemoveMaster(t.Context(), &api.RemoveMasterRequest{Id: id, User: "somebody"})
	if err != nil || len(reply.GetMasters()) != 2 {
		t.Fatalf("remove: %v, %v", reply, err)
	}
	address := freeAddress(t)
	_, err = c.client().AddMaster(t.Context(), &api.AddMasterRequest{Id: "m4", Address: address})
	if err == nil || fault.ClassOf(err) != fault.Permanent || !strings.Contains(err.Error(), "start it first") {
		t.Errorf("a master that does not run: %v", err)
	}
	gone.config.ID, gone.config.Listen, gone.config.Dir, gone.config.Peers = "m4", address, t.TempDir(), nil
	c.start(gone)
	_, err = c.client().AddMaster(t.Context(), &api.AddMasterRequest{Id: "m5", Address: address})
	if err == nil || !strings.Contains(err.Error(), "is m4, not m5") {
		t.Errorf("a master of another name: %v", err)
	}
	reply, err = c.client().AddMaster(t.Context(), &api.AddMasterRequest{Id: "m4", Address: address, User: "somebody"})
	if err != nil || len(reply.GetMasters()) != 3 {
		t.Fatalf("add: %v, %v", reply, err)
	}
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 4, Attempt: succeed})
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(t.TempDir(), "out"), 10)})
	if j := c.wait("job-1"); j.GetState() != "succeeded" {
		t.Errorf("the job is %s: %s", j.GetState(), j.GetError())
	}
}

// TestEndsAreRepeated has attempts end while no master leads: the next leader hears of them.
func TestEndsAreRepeated(t *testing.T) {
	c := newCluster(t, 3)
	var maps, reduces, ended atomic.Int32
	release := make(chan struct{})
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: func(ctx context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
		if start.GetTask().GetStage() == 0 {
			maps.Add(1)
			return succeed(ctx, job, start)
		}
		reduces.Add(1)
		<-release
		defer ended.Add(1)
		return succeed(ctx, job, start)
	}})
	output := filepath.Join(t.TempDir(), "out")
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(output, 10)})
	eventually(t, "the reduce tasks run", func() bool { return reduces.Load() > 0 })
	l := c.leader().master.leading.Load()
	onLoop(t, l, func() {}) // what was to be started is
	ordered := reduces.Load()
	for _, m := range c.masters {
		m.stop()
	}
	close(release)
	eventually(t, "the attempts end", func() bool { return ended.Load() >= ordered })
	for _, m := range c.masters {
		c.start(m)
	}
	if j := c.wait("job-1"); j.GetState() != "succeeded" {
		t.Errorf("the job is %s: %s", j.GetState(), j.GetError())
	}
	if maps.Load() != 10 || lines(t, output) != 4 {
		t.Errorf("%d map tasks ran, want 10; the output has %d lines, want 4", maps.Load(), lines(t, output))
	}
}

// TestSecondConnection has a worker connect while the master holds its earlier stream for alive.
func TestSecondConnection(t *testing.T) {
	c := newCluster(t, 1)
	l := c.leader().master.leading.Load()
	var second atomic.Int32
	stop := c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: hangs(&second)})
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(t.TempDir(), "out"), 10)})
	eventually(t, "the second stage runs", func() bool { return second.Load() > 0 })
	var first *connection
	onLoop(t, l, func() { first = l.workers["w1"].connection })
	c.worker(&fakeworker.Worker{ID: "w1", Incarnation: "second", Slots: 10, Attempt: succeed})
	eventually(t, "the second one has taken its place", func() (replaced bool) {
		onLoop(t, l, func() {
			w := l.workers["w1"]
			replaced = w != nil && w.connection != nil && w.connection != first && w.connection.hello.GetIncarnation() == "second"
		})
		return replaced
	})
	stop()
	if j := c.wait("job-1"); j.GetState() != "succeeded" {
		t.Errorf("the job is %s: %s", j.GetState(), j.GetError())
	}
}
