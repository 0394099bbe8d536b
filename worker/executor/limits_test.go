package executor

import (
	"testing"

	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/shuffle"
	"fletch/worker/attempt"
)

// TestPromises promises no more than 70% of what the agent has granted, however little that is.
func TestPromises(t *testing.T) {
	for _, memory := range []int64{1 << 20, 48 << 20, 200 << 20, 1 << 30, 1 << 40} {
		l := limits{memoryBytes: memory}
		sum := l.poolBytes() + l.shuffleBytes() + l.aheadBytes()
		if sum > memory/10*7+10 || l.poolBytes() != memory/2 || l.shuffleBytes() <= 0 || l.aheadBytes() <= 0 || l.aheadBytes() > 32<<20 {
			t.Errorf("of %d bytes, %d are for attempts, %d for blocks and %d for those of others", memory, l.poolBytes(), l.shuffleBytes(), l.aheadBytes())
		}
	}
}

// TestLimitOfJob has a new limit reach the attempts that run.
func TestLimitOfJob(t *testing.T) {
	store, err := shuffle.NewStore(shuffle.Config{Dir: t.TempDir(), Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := coro.New(coro.Config{Runners: 1})
	if err != nil {
		t.Fatal(err)
	}
	j := &job{scheduler: s, stopped: make(chan error, 1), attempts: &attempt.Job{Shuffle: store, Pool: budget.NewPool(1, 2, 2)}}
	j.serve()
	c := s.Spawn(coro.Spec{Name: "attempt"}, func(c *coro.Coroutine) error {
		share, err := j.attempts.Pool.Join(c)
		if err != nil {
			return err
		}
		j.limit(limits{memoryBytes: 128 << 20})
		if n := share.Sure(); n != 32<<20 {
			t.Errorf("an attempt is sure of %d bytes", n)
		}
		share.Close()
		return nil
	})
	<-c.Done()
	if err := c.Err(); err != nil {
		t.Error(err)
	}
	j.stop()
	if err := <-j.stopped; err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}
