package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"fletch/api"
	"fletch/fault"
)

// TestReconnect loses the leader while an attempt runs and another one's end is not acknowledged.
func TestReconnect(t *testing.T) {
	b := newBench(t, nil)
	s := b.master.session()
	if h := s.hello; h.Id != b.worker.ID() || h.Incarnation == "" || h.Cluster != "" || h.Address != b.worker.Address() || h.Slots != 8 ||
		h.MemoryBytes != 1<<30 || h.Epoch != 0 || len(h.Running) != 0 || len(h.Jobs) != 0 {
		t.Errorf("Hello of a new worker: %v", h)
	}
	s.job("words", b.plugin, "ok", "ok", "work", "ok")
	s.start("words", "words_0", 0)
	if e := receive(t, s.ended, "the end"); e.Attempt != "words_0" {
		t.Fatalf("%v ended", e)
	}
	if e := receive(t, s.ended, "its repetition"); e.Attempt != "words_0" {
		t.Fatalf("%v ended", e)
	}
	s.start("words", "words_1", 1)
	s.running("words_1")
	b.master.set(func(m *fakeMaster) { m.welcome.Term = 2 })
	s.cut()
	again := b.master.session()
	h := again.hello
	slices.Sort(h.Running)
	if h.Incarnation != s.hello.Incarnation || h.Cluster != "test" || h.Epoch != 1 || !slices.Equal(h.Running, []string{"words_0", "words_1"}) ||
		!slices.Equal(h.Jobs, []string{"words"}) {
		t.Errorf("Hello after a lost stream: %v", h)
	}
	succeeded(t, again.end("words_0"))
	again.running("words_1")
	again.stop("words_1", "enough")
	want(t, again.end("words_1"), fault.Cancelled, "was told to stop")
	// Its executor is the same, and the order of the new stream describes the job again.
	again.job("words", b.plugin, "ok", "ok", "work", "ok")
	again.start("words", "words_2", 2)
	succeeded(t, again.end("words_2"))
	// What is acknowledged is not repeated.
	for range 5 {
		if beat := receive(t, again.beats, "a heartbeat"); slices.ContainsFunc(beat.GetEnded(), func(e *api.AttemptEnded) bool { return e.Attempt == "words_0" }) &&
			len(again.beats) == 0 {
			t.Error("an acknowledged end is repeated")
		}
	}
}

// TestOlderTerm refuses a master that has led before the present leader.
func TestOlderTerm(t *testing.T) {
	b := newBench(t, nil)
	b.master.session().cut()
	b.master.set(func(m *fakeMaster) {
		m.welcome = &api.Welcome{Cluster: "test", Term: 5, Epoch: 1, HeartbeatMillis: 30, SilenceMillis: 60_000}
	})
	s := b.master.session()
	if s.hello.Epoch != 1 {
		s = b.master.session()
	}
	b.master.set(func(m *fakeMaster) {
		m.welcome = &api.Welcome{Cluster: "test", Term: 4, Epoch: 9, HeartbeatMillis: 30, SilenceMillis: 60_000}
	})
	s.cut()
	old := b.master.session()
	receive(t, old.gone, "the end of the old leader's stream")
	b.master.set(func(m *fakeMaster) {
		m.welcome = &api.Welcome{Cluster: "test", Term: 6, Epoch: 1, HeartbeatMillis: 30, SilenceMillis: 60_000}
	})
	eventually(t, "the new leader is taken", func() bool {
		status, _ := b.get("/readyz")
		return status == 200
	}, func() string { return "" })
}

// TestEpoch has the worker declared lost while it was away: it drops everything.
func TestEpoch(t *testing.T) {
	b := newBench(t, nil)
	s := b.master.session()
	s.job("words", b.plugin, "ok", "memory text", "child", "work")
	s.start("words", "words_0", 0)
	succeeded(t, s.end("words_0"))
	s.start("words", "words_1", 1)
	s.running("words_1")
	var sleeper, executor int
	if _, err := fmt.Sscanf(b.logged("words", "child").Text, "child %d of %d", &sleeper, &executor); err != nil {
		t.Fatal(err)
	}
	b.master.set(func(m *fakeMaster) {
		m.welcome = &api.Welcome{Cluster: "test", Term: 2, Epoch: 2, HeartbeatMillis: 30, SilenceMillis: 60_000}
	})
	s.cut()
	again := b.master.session()
	if !slices.Equal(again.hello.Running, []string{"words_1"}) || again.hello.Epoch != 1 {
		t.Errorf("Hello: %v", again.hello)
	}
	eventually(t, "the executor of the older epoch ends", func() bool { return !alive(executor) && !alive(sleeper) }, func() string { return "" })
	if bytes, _ := b.worker.outputs.used(); bytes != 0 {
		t.Errorf("%d bytes of the older epoch are held", bytes)
	}
	again.job("words", b.plugin, "ok", "ok", "ok", "ok")
	again.start("words", "words_2", 2)
	e := receive(t, again.ended, "an end")
	if e.Attempt != "words_2" {
		t.Errorf("the older epoch's %s ended", e.Attempt)
	}
	succeeded(t, e)
}

// TestFindsTheLeader follows the hint of a master that does not lead, and goes on looking where nobody listens.
func TestFindsTheLeader(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	leader, follower := newFakeMaster(t), newFakeMaster(t)
	follower.leader = leader.address
	b := newBench(t, func(c *Config) { c.Masters = []string{nobody.Addr().String(), follower.address} })
	s := leader.session()
	if s.hello.Id != b.worker.ID() {
		t.Errorf("Hello: %v", s.hello)
	}
	// The leader steps down in favour of one that the worker was not told of.
	next := newFakeMaster(t)
	follower.set(func(m *fakeMaster) { m.leader = next.address })
	leader.set(func(m *fakeMaster) { m.leader = next.address })
	s.cut()
	next.session()
}

// TestSilentLeader gives up a leader that keeps the connection and says nothing.
func TestSilentLeader(t *testing.T) {
	b := newBench(t, nil)
	b.master.set(func(m *fakeMaster) { m.welcome.SilenceMillis = 200 })
	s := b.master.session()
	s.cut()
	s = b.master.session() // with the short silence
	for range 5 {          // what says anything is alive
		time.Sleep(100 * time.Millisecond)
		s.send(&api.MasterMessage{})
	}
	select {
	case <-s.gone:
		t.Error("a leader that spoke was given up")
	default:
	}
	receive(t, s.gone, "the end of the silent stream")
	b.master.session()
}

// TestRefused ends a worker that a master refuses for good.
func TestRefused(t *testing.T) {
	m := newFakeMaster(t)
	m.refuse = fault.As(fault.Permanent, errors.New("this is cluster other"))
	w, err := New(Config{Dir: t.TempDir(), Masters: []string{m.address}, check: func(string, string, bool) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.Run(ctx); err == nil || !strings.Contains(err.Error(), "refuses this worker: this is cluster other") {
		t.Errorf("Run returned %v", err)
	}
}

// TestOtherCluster ends a worker whose directory belongs to another cluster than the masters.
func TestOtherCluster(t *testing.T) {
	m := newFakeMaster(t)
	w, err := New(Config{Dir: t.TempDir(), Cluster: "mine", Masters: []string{m.address}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.Run(ctx); err == nil || !strings.Contains(err.Error(), "belongs to cluster mine, not to test") {
		t.Errorf("Run returned %v", err)
	}
}
