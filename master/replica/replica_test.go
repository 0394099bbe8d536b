package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fletch/master/state"
)

func TestApplyFromMany(t *testing.T) {
	began := time.Now()
	c := newCluster(t, 3)
	leader := c.leader()
	t.Logf("a leader after %s", time.Since(began))

	const callers = 50
	var work sync.WaitGroup
	for i := range callers {
		work.Go(func() {
			id := fmt.Sprint("job-", i)
			submit := submitOf(id, 3)
			outcomes := leader.replica.Apply(c.context(), submit, planOf(submit), commitOf(id, 1))
			for _, o := range outcomes {
				if o.Err != nil || o.Job.ID != id {
					t.Errorf("outcome %+v", o)
				}
			}
			if j := outcomes[2].Job; j.Stages[0].Committed != 1 {
				t.Errorf("%s has %d committed tasks", id, j.Stages[0].Committed)
			}
		})
	}
	work.Wait()
	for _, m := range c.masters {
		eventually(t, m.replica, "has all jobs", func(s *state.Machine) bool { return len(s.Active()) == callers })
	}
}

func TestApplyAnswersEachCommand(t *testing.T) {
	c := newCluster(t, 1)
	leader := c.leader().replica
	tooLarge := submitOf("large", 1)
	tooLarge.Graph.Nodes[1].Sink.Path = strings.Repeat("/x", maxEntryBytes/2)
	outcomes := leader.Apply(c.context(), submitOf("a", 1), tooLarge, state.Cancel{Job: "nobody"}, submitOf("b", 1))
	if outcomes[0].Err != nil || outcomes[3].Err != nil {
		t.Errorf("good commands beside bad ones: %v, %v", outcomes[0].Err, outcomes[3].Err)
	}
	if err := outcomes[1].Err; !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), fmt.Sprint(maxEntryBytes)) {
		t.Errorf("too large: %v, want the limit", err)
	}
	if !errors.Is(outcomes[2].Err, state.ErrNoJob) {
		t.Errorf("refused by the state: %v", outcomes[2].Err)
	}
}

func TestApplyLargePlan(t *testing.T) {
	const tasks = 20_000
	c := newCluster(t, 3)
	submit := submitOf("large", tasks)
	c.must(submit)
	c.must(planOf(submit))
	for _, m := range c.masters {
		eventually(t, m.replica, "has the plan", func(s *state.Machine) bool {
			j := s.Job("large")
			return j != nil && j.Stages[0].Len() == tasks
		})
	}
}

func TestFollowersNameTheLeader(t *testing.T) {
	c := newCluster(t, 3)
	for {
		leader := c.leader()
		term := leader.replica.Term()
		var wrong []string
		for _, m := range c.followers() {
			for what, err := range map[string]error{
				"Apply":  m.replica.Apply(c.context(), submitOf("late", 1))[0].Err,
				"Verify": m.replica.Verify(c.context()),
				"Add":    m.replica.Add(c.context(), Server{ID: "m9", Address: "127.0.0.1:1", Voter: true}),
				"Remove": m.replica.Remove(c.context(), "m1"),
			} {
				var notLeader *NotLeaderError
				if !errors.As(err, &notLeader) || notLeader.Leader != leader.Address {
					wrong = append(wrong, fmt.Sprintf("%s: %v, want the leader's address %s", what, err, leader.Address))
				}
			}
			if s, ok := m.replica.Leader(); !ok || s.ID != leader.ID || s.Address != leader.Address || m.replica.Term() != term {
				wrong = append(wrong, fmt.Sprintf("%s takes %+v for the leader, in term %d", m.ID, s, m.replica.Term()))
			}
		}
		if c.leader().replica.Term() != term {
			continue // a new leader was elected meanwhile
		}
		for _, w := range wrong {
			t.Error(w)
		}
		return
	}
}

// Every answered command is with every later leader, while leaders are stopped and started under load.
func TestNothingIsLostWithLeaders(t *testing.T) {
	c := newCluster(t, 3)
	ctx, cancel := context.WithCancel(context.Background())
	var answered atomic.Int64
	var work sync.WaitGroup
	const callers = 8
	done := make([]int, callers)
	for i := range callers {
		work.Go(func() {
			for ctx.Err() == nil {
				c.must(submitOf(fmt.Sprintf("job-%d-%d", i, done[i]), 1))
				done[i]++
				answered.Add(1)
			}
		})
	}
	for range 3 {
		for before := answered.Load(); answered.Load() < before+50; {
			<-time.After(time.Millisecond)
		}
		old := c.leader()
		c.restart(old.ID)
	}
	cancel()
	work.Wait()
	t.Logf("%d commands", answered.Load())
	for _, m := range c.masters {
		for i, n := range done {
			for k := range n {
				eventually(t, m.replica, "has every job", has(fmt.Sprintf("job-%d-%d", i, k)))
			}
		}
	}
}

// A leader that is cut off learns that it does not lead any more, and what it was asked is not lost without a word.
func TestLeaderCutOff(t *testing.T) {
	c := newCluster(t, 3)
	old := c.leader()
	c.must(submitOf("before", 1))
	if err := old.replica.stream.shutdown(); err != nil {
		t.Fatal(err)
	}
	err := old.replica.Apply(c.context(), submitOf("during", 1))[0].Err
	if !errors.Is(err, ErrUnknown) {
		t.Errorf("a command of a leader that is cut off: %v, want ErrUnknown", err)
	}
	var notLeader *NotLeaderError
	if err := old.replica.Verify(c.context()); !errors.As(err, &notLeader) {
		t.Errorf("the leader that was cut off is asked whether it leads: %v", err)
	}
	c.must(submitOf("after", 1))
	c.leader().replica.Read(func(m *state.Machine) {
		if m.Job("before") == nil || m.Job("after") == nil {
			t.Error("the next leader lacks a job")
		}
	})
}

func TestApplyGivesUpWithItsContext(t *testing.T) {
	c := newCluster(t, 2)
	leader := c.leader()
	c.stop(c.followers()[0].ID)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := leader.replica.Apply(ctx, submitOf("a", 1))[0].Err; !errors.Is(err, ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a quorum: %v, want ErrUnknown by the deadline", err)
	}
}

func TestRestartFromDisk(t *testing.T) {
	c := newCluster(t, 3)
	submit := submitOf("a", 4)
	c.must(submit, planOf(submit), commitOf("a", 2))
	c.stop("m1", "m2", "m3")
	for _, s := range c.servers {
		c.run(s.ID, Config{}) // without Bootstrap: what the disk has counts
	}
	c.must(commitOf("a", 3))
	for _, m := range c.masters {
		eventually(t, m.replica, "has both commits", func(s *state.Machine) bool {
			j := s.Job("a")
			return j != nil && j.Stages[0].Committed == 2
		})
	}
}

func TestAfterTheEnd(t *testing.T) {
	c := newCluster(t, 1)
	r := c.leader().replica
	c.stop("m1")
	var notLeader *NotLeaderError
	if err := r.Apply(c.context(), submitOf("a", 1))[0].Err; !errors.As(err, &notLeader) {
		t.Errorf("Apply after the end: %v", err)
	}
	if err := r.Leading(c.context(), nil); err != nil {
		t.Errorf("Leading after the end: %v", err)
	}
	if _, ok := r.Leader(); ok || r.Servers() != nil || r.Term() != 0 {
		t.Error("a replica that has ended knows of a cluster")
	}
}
