package master

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"fletch/api"
	"fletch/master/replica"
	"fletch/master/state"
	"fletch/test/fakeworker"
)

// onLoop runs f on the leader's loop.
func onLoop(t *testing.T, l *leader, f func()) {
	t.Helper()
	if err := l.do(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// holdCommands keeps the leader from applying what is proposed until the returned function is called.
func holdCommands(t *testing.T, l *leader) (release func()) {
	t.Helper()
	eventually(t, "no command is being applied", func() (held bool) {
		onLoop(t, l, func() {
			if held = !l.applying; held {
				l.applying = true
			}
		})
		return held
	})
	return func() { onLoop(t, l, func() { l.applying = false }) }
}

// hangs is a worker's function that finishes the first stage and never a task of the second; it counts those.
func hangs(seconds *atomic.Int32) func(context.Context, *api.JobOrder, *api.StartOrder) *api.AttemptEnded {
	return func(ctx context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
		if start.GetTask().GetStage() == 0 {
			return succeed(ctx, job, start)
		}
		seconds.Add(1)
		return nil
	}
}

func TestUndecidedCommandsAreProposedAgain(t *testing.T) {
	c := newCluster(t, 1)
	l := c.leader().master.leading.Load()
	outcomes := make(chan replica.Outcome, 3)
	batch := []proposal{
		{state.Audit{User: "u", Action: "a"}, func(o replica.Outcome) { outcomes <- o }},
		{state.Audit{User: "u", Action: "b"}, func(o replica.Outcome) { outcomes <- o }},
	}
	release := holdCommands(t, l)
	onLoop(t, l, func() { l.land(batch, []replica.Outcome{{Err: replica.ErrUnknown}, {Err: &replica.NotLeaderError{}}}) })
	release()
	for range batch {
		select {
		case o := <-outcomes:
			if o.Err != nil {
				t.Errorf("outcome %v", o.Err)
			}
		case <-time.After(patience):
			t.Fatal("nobody hears of a command whose first outcome was not known")
		}
	}
	l.replica.Read(func(s *state.Machine) {
		if a := s.Audit(); len(a) != 2 || a[0].Action != "a" || a[1].Action != "b" {
			t.Errorf("audit log %v", a)
		}
	})
}

// TestLostAsItComesBack has a worker declared lost that has just connected.
func TestLostAsItComesBack(t *testing.T) {
	c := newCluster(t, 1)
	l := c.leader().master.leading.Load()
	var epoch atomic.Uint64
	var second atomic.Int32
	first := make(chan struct{})
	c.worker(&fakeworker.Worker{
		ID: "w1", Slots: 10, Connected: func(w *api.Welcome) { epoch.Store(w.GetEpoch()) },
		Attempt: func(ctx context.Context, job *api.JobOrder, start *api.StartOrder) *api.AttemptEnded {
			if start.GetTask().GetStage() == 1 && second.Add(1) <= 4 {
				select {
				case <-first:
				case <-ctx.Done():
				}
			}
			return succeed(ctx, job, start)
		},
	})
	output := filepath.Join(t.TempDir(), "out")
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(output, 10)})
	eventually(t, "the second stage runs", func() bool { return second.Load() > 0 })
	before := epoch.Load()
	onLoop(t, l, func() { l.lose(l.workers["w1"]) })
	eventually(t, "the worker is in another epoch", func() bool { return epoch.Load() > before })
	close(first)
	if j := c.wait("job-1"); j.GetState() != "succeeded" {
		t.Errorf("the job is %s: %s", j.GetState(), j.GetError())
	}
	if n := lines(t, output); n != 4 {
		t.Errorf("the output has %d lines, want 4", n)
	}
}

// TestStreamEndsWhileRegistering has a new incarnation of a worker go before it is told of its registration.
func TestStreamEndsWhileRegistering(t *testing.T) {
	c := newCluster(t, 1)
	l := c.leader().master.leading.Load()
	var second atomic.Int32
	stop := c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: hangs(&second)})
	output := filepath.Join(t.TempDir(), "out")
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(output, 10)})
	eventually(t, "the second stage runs", func() bool { return second.Load() > 0 })

	release := holdCommands(t, l)
	stop()
	ctx, cancel := context.WithCancelCause(t.Context())
	dying := &connection{
		hello:  &api.Hello{Id: "w1", Incarnation: "second", Address: "127.0.0.1:1", Slots: 10},
		cancel: cancel, jobs: map[string]*sentJob{}, stopped: map[string]bool{}, out: newOutbox(cancel),
	}
	registered := make(chan error, 1)
	go func() { registered <- l.register(ctx, dying) }()
	eventually(t, "its registration is proposed", func() (proposed bool) {
		onLoop(t, l, func() {
			for _, p := range l.queue {
				if _, is := p.command.(state.Register); is {
					proposed = true
				}
			}
		})
		return proposed
	})
	cancel(errTest)
	<-registered
	release()

	c.worker(&fakeworker.Worker{ID: "w2", Slots: 10, Attempt: succeed})
	if j := c.wait("job-1"); j.GetState() != "succeeded" {
		t.Errorf("the job is %s: %s", j.GetState(), j.GetError())
	}
}

// TestSilentWorker has a worker that keeps its stream and says nothing.
func TestSilentWorker(t *testing.T) {
	c := newCluster(t, 1)
	l := c.leader().master.leading.Load()
	var second atomic.Int32
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: hangs(&second)})
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(t.TempDir(), "out"), 10)})
	eventually(t, "the second stage runs", func() bool { return second.Load() > 0 })
	var silent *connection
	onLoop(t, l, func() {
		silent = l.workers["w1"].connection
		silent.heard = time.Now().Add(-2 * silence)
		l.expire()
	})
	eventually(t, "it connects again", func() (again bool) {
		onLoop(t, l, func() {
			w := l.workers["w1"]
			again = w != nil && w.connection != nil && w.connection != silent
		})
		return again
	})
	onLoop(t, l, func() {
		if n := len(l.workers["w1"].running); n != int(second.Load()) {
			t.Errorf("it runs %d attempts after it has connected again, and %d were ordered", n, second.Load())
		}
	})
}
