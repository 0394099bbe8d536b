package executor

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fletch/api"
	"fletch/engine"
	"fletch/engine/plan"
)

// TestLogs logs from user code: each record comes with its attempt, before the attempt's end.
func TestLogs(t *testing.T) {
	w, declare := mapped(t, 2, func(task *engine.Task, v int64) error {
		task.Logger().With("v", v).WithGroup("g").Warn("seen it", "a b", "c d")
		task.Logger().Debug("nobody hears that")
		return nil
	})
	w.splits = []plan.Split{{Count: 1}, {First: 1, Count: 1}}
	a := newAgent(t, opens(declare))
	if err := a.load(w.message()); err != nil {
		t.Fatal(err)
	}
	a.startSplits(w)
	a.succeeded(2)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.logs) != 2 {
		t.Fatalf("%d records: %v", len(a.logs), a.logs)
	}
	for _, r := range a.logs {
		want := fmt.Sprintf(`v=%s "g.a b"="c d"`, strings.TrimPrefix(r.Attempt, "map-"))
		if r.Level != "WARN" || !strings.HasPrefix(r.Text, "seen it operator=") || !strings.HasSuffix(r.Text, want) || time.Since(time.Unix(0, r.TimeUnixNanos)) > time.Minute {
			t.Errorf("the record is %v, want %q", r, want)
		}
	}
}

// TestLogFlood logs more than anybody takes: the logger does not wait, and the next record that finds room tells how many
// are missing.
func TestLogFlood(t *testing.T) {
	o := newOutbox()
	l := &attemptLog{attempt: "a", out: o}
	log := slog.New(&logHandler{log: l})
	long := strings.Repeat("x", 2*recordBytes)
	const n = 2000
	for range n {
		log.Info(long)
	}
	queue := o.take()
	bytes := 0
	for _, m := range queue {
		r := m.GetLog()
		bytes += len(r.Text)
		if len(r.Text) > recordBytes+40 || !strings.HasSuffix(r.Text, "bytes more)") {
			t.Fatalf("a record of %d bytes: ...%s", len(r.Text), r.Text[len(r.Text)-40:])
		}
	}
	if bytes > logBytes || bytes < logBytes/2 {
		t.Errorf("%d bytes of records were kept", bytes)
	}
	log.Info(long) // what was taken is not sent yet
	for _, m := range queue {
		o.sent(m)
	}
	log.Info("again")
	rest := o.take()
	if want := fmt.Sprintf("%d log records are missing", n-len(queue)+1); len(rest) != 2 ||
		!strings.HasPrefix(rest[0].GetLog().Text, want) || rest[1].GetLog().Text != "again" {
		t.Errorf("after the flood comes %v, want %s", rest, want)
	}
	for _, m := range rest {
		o.sent(m)
	}
	if o.mu.logs != 0 {
		t.Errorf("%d bytes are never given back", o.mu.logs)
	}
	// What was dropped last is told before the attempt's end.
	l.dropped.Store(3)
	x := &executor{out: o, job: &job{running: map[string]*running{"a": {name: "a", log: l, cancel: func(error) {}}}}}
	x.end(ended{name: "a"})
	if rest := o.take(); len(rest) != 2 || !strings.HasPrefix(rest[0].GetLog().GetText(), "3 log records are missing") || rest[1].GetEnded() == nil {
		t.Errorf("at the end comes %v", rest)
	}
}

// TestProgress reports what has changed, and no report while the one before it waits.
func TestProgress(t *testing.T) {
	x := &executor{out: newOutbox(), job: &job{running: map[string]*running{"a": {name: "a"}, "b": {name: "b"}}}}
	x.report()
	if m := x.out.take(); m != nil {
		t.Errorf("nothing has changed, told is %v", m)
	}
	x.job.running["a"].progress.Rows.Store(5)
	x.report()
	x.job.running["b"].progress.Bytes.Store(7)
	x.report() // one is on its way
	first := x.out.take()
	if len(first) != 1 || len(first[0].GetProgress().Attempts) != 1 || first[0].GetProgress().Attempts[0].Rows != 5 {
		t.Fatalf("told is %v", first)
	}
	x.out.sent(first[0])
	x.report()
	second := x.out.take()
	if len(second) != 1 || len(second[0].GetProgress().Attempts) != 1 || second[0].GetProgress().Attempts[0].Attempt != "b" {
		t.Errorf("told is %v", second)
	}
	x.out.sent(second[0])
	x.job.running["a"].progress.Steps.Store(1)
	x.report()
	third := x.out.take()
	if len(third) != 1 || len(third[0].GetProgress().Attempts) != 1 || third[0].GetProgress().Attempts[0].Attempt != "a" {
		t.Fatalf("told is %v", third)
	}
	x.out.sent(third[0])
	x.report()
	if m := x.out.take(); m != nil {
		t.Errorf("nothing has changed again, told is %v", m)
	}
	// One that waits for memory of others is never stuck.
	x.job.running["b"].progress.Waits.Store(true)
	for range 2 {
		x.report()
		waits := x.out.take()
		if len(waits) != 1 || len(waits[0].GetProgress().Attempts) != 1 || waits[0].GetProgress().Attempts[0].Attempt != "b" {
			t.Fatalf("told is %v", waits)
		}
		x.out.sent(waits[0])
	}
}

// TestReports tells the agent of a long attempt's progress several times a second.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &running{name: "a"}
		x := &executor{
			out: newOutbox(), orders: make(chan *api.AgentMessage), ended: make(chan ended), serving: t.Context(),
			job: &job{running: map[string]*running{"a": r}}, ticks: time.Tick(reportEvery),
		}
		go x.loop()
		reports := 0
		for range 20 {
			r.progress.Rows.Add(1)
			time.Sleep(reportEvery)
			synctest.Wait()
			for _, m := range x.out.take() {
				x.out.sent(m)
				reports++
			}
		}
		if reports < 18 {
			t.Errorf("%d reports in %v", reports, 20*reportEvery)
		}
	})
}
