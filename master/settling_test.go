package master

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"fletch/api"
	"fletch/master/state"
	"fletch/test/fakeworker"
)

// TestNewLeaderWaitsForWorkers has a worker be away when a term begins: nothing is started before it is declared lost, as
// it may run already.
func TestNewLeaderWaitsForWorkers(t *testing.T) {
	c := newCluster(t, 1)
	m := c.masters[0]
	c.leader()
	connected := make(chan struct{}, 1)
	stop := c.worker(&fakeworker.Worker{ID: "away", Slots: 10, Connected: func(*api.Welcome) { connected <- struct{}{} }})
	<-connected
	stop()
	m.stop()
	c.start(m)
	c.leader()
	var early atomic.Int32
	c.worker(&fakeworker.Worker{ID: "here", Slots: 10, Attempt: func(ctx context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
		m.master.replica.Read(func(s *state.Machine) {
			if w, _ := s.Worker("away"); !w.Lost {
				early.Add(1)
			}
		})
		return succeed(ctx, job, start)
	}})
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(t.TempDir(), "out"), 10)})
	if j := c.wait("job-1"); j.GetState() != "succeeded" || early.Load() > 0 {
		t.Errorf("the job %s; %d attempts were started too early", j.GetState(), early.Load())
	}
}
