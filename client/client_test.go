package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/report"
)

// soon is a timeout that no test of a success comes near.
const soon = 20 * time.Second

func TestLeaderIsFound(t *testing.T) {
	c := start(t, 3)
	c.lead(c.masters[2])
	cl := c.client(t, soon, 0) // it knows one that does not lead
	j, err := cl.Job(t.Context(), "a-1")
	if err != nil || j.User != "ada" || !j.Submitted.Equal(time.Unix(1, 0)) {
		t.Fatalf("%+v, %v", j, err)
	}
	if c.masters[0].calls != 0 || c.masters[2].calls != 1 {
		t.Errorf("calls: %d, %d, %d", c.masters[0].calls, c.masters[1].calls, c.masters[2].calls)
	}
	// It changes between two calls: the one that led names the next.
	c.lead(c.masters[1])
	if _, err := cl.Job(t.Context(), "a-1"); err != nil {
		t.Fatal(err)
	}
	// It is gone.
	c.masters[1].server.Stop()
	c.lead(c.masters[0])
	if _, err := cl.Job(t.Context(), "a-1"); err != nil {
		t.Fatal(err)
	}
}

func TestDial(t *testing.T) {
	c := start(t, 2)
	cl, err := Dial(t.Context(), c.addresses())
	if err != nil {
		t.Fatal(err)
	}
	if err := cl.Close(); err != nil {
		t.Fatal(err)
	}
	for _, addresses := range [][]string{nil, {"host"}, {":1"}, {"host:"}} {
		if _, err := Dial(t.Context(), addresses); err == nil {
			t.Errorf("%q was taken for addresses", addresses)
		}
	}
}

func TestNoLeader(t *testing.T) {
	c := start(t, 2)
	c.lead(nil)
	c.masters[1].server.Stop()
	began := time.Now()
	status, err := c.client(t, 300*time.Millisecond, 0, 1).Status(t.Context())
	var noLeader *NoLeaderError
	if !errors.As(err, &noLeader) || !slices.Equal(noLeader.Tried, c.addresses()) || !errors.Is(err, api.ErrUnreachable) {
		t.Fatalf("%v", err)
	}
	if took := time.Since(began); took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if status.Cluster != "fake" || len(status.Masters) != 2 {
		t.Errorf("the master that answers was not asked: %+v", status)
	}
}

func TestFrozenMasters(t *testing.T) {
	c := start(t, 1)
	c.freeze(c.masters[0])
	_, err := c.client(t, 300*time.Millisecond, 0).Job(t.Context(), "a-1")
	if _, ok := errors.AsType[*NoLeaderError](err); !ok {
		t.Fatal(err)
	}
}

func TestContextEnds(t *testing.T) {
	c := start(t, 1)
	c.lead(nil)
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := c.client(t, soon, 0).Job(ctx, "a-1"); !errors.Is(err, cause) {
		t.Fatal(err)
	}
}

func TestFrozenLeaderIsLeft(t *testing.T) {
	c := start(t, 3)
	cl := c.client(t, soon, 0, 1, 2)
	if _, err := cl.Job(t.Context(), "a-1"); err != nil {
		t.Fatal(err)
	}
	c.freeze(c.masters[0])
	c.lead(c.masters[1])
	if _, err := cl.Job(t.Context(), "a-1"); err != nil {
		t.Fatal(err)
	}
	if c.masters[1].calls != 1 {
		t.Error("another master was asked")
	}
}

func TestRefusalIsFinal(t *testing.T) {
	c := start(t, 1)
	_, err := c.client(t, soon, 0).Job(t.Context(), "b-1")
	if _, ok := errors.AsType[*api.NotFound](err); !ok || c.masters[0].calls != 1 {
		t.Fatalf("%v after %d calls", err, c.masters[0].calls)
	}
}

func TestSubmitIsSentAgain(t *testing.T) {
	c := start(t, 2)
	c.mu.breakAt = 1
	s := Submission{ID: NewID("a job"), Graph: &plan.Graph{Job: "a job"}}
	warnings, err := c.client(t, soon, 0, 1).Submit(t.Context(), s)
	if err != nil || len(warnings) != 1 || c.mu.submitted[s.ID] != 2 {
		t.Fatalf("%q, %v, %v", warnings, err, c.mu.submitted)
	}
}

func TestWatchGoesOn(t *testing.T) {
	c := start(t, 2)
	c.mu.states, c.mu.breakAt = []string{"waiting", "running", "succeeded"}, 2
	var seen []report.State
	last, err := c.client(t, soon, 0).Watch(t.Context(), "a-1", func(j report.Job) { seen = append(seen, j.State) })
	want := []report.State{"waiting", "running", "waiting", "running", "succeeded"}
	if err != nil || last.State != report.Succeeded || !slices.Equal(seen, want) {
		t.Fatalf("%q, %v", seen, err)
	}
}

func TestLogsGoOn(t *testing.T) {
	c := start(t, 2)
	c.mu.breakAt = 3
	for i := range 6 {
		c.mu.logs = append(c.mu.logs, &api.LogLine{Worker: fmt.Sprint("w", i%2), Text: fmt.Sprint(i), TimeUnixNanos: 1})
	}
	var seen []string
	err := c.client(t, soon, 0).Logs(t.Context(), "a-1", false, func(l LogLine) error {
		seen = append(seen, l.Text)
		return nil
	})
	if err != nil || !slices.Equal(seen, []string{"0", "1", "2", "3", "4", "5"}) {
		t.Fatalf("%q, %v", seen, err)
	}
	full := errors.New("pipe is closed")
	if err := c.client(t, soon, 1).Logs(t.Context(), "a-1", false, func(LogLine) error { return full }); !errors.Is(err, full) {
		t.Fatal(err)
	}
}

func TestStatus(t *testing.T) {
	c := start(t, 2)
	s, err := c.client(t, soon, 1).Status(t.Context())
	if err != nil || s.Leader != c.masters[0].address || len(s.Workers) != 1 || s.Workers[0].PID != 42 || len(s.Jobs) != 1 || !s.Masters[0].Leader {
		t.Fatalf("%+v, %v", s, err)
	}
}

func TestPutPlugin(t *testing.T) {
	c := start(t, 2)
	c.mu.breakAt = 2 // chunks
	data := bytes.Repeat([]byte("plugin"), 500_000)
	path := filepath.Join(t.TempDir(), "job.so")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cl := c.client(t, soon, 0)
	sum := sha256.Sum256(data)
	sha := hex.EncodeToString(sum[:])
	if err := cl.PutPlugin(t.Context(), path, sha); err != nil || !bytes.Equal(c.mu.plugins[sha], data) {
		t.Fatalf("%s with %d bytes, %v", sha, len(c.mu.plugins[sha]), err)
	}
	calls := c.masters[1].calls
	if err := cl.PutPlugin(t.Context(), path, sha); err != nil || c.masters[1].calls != calls+1 {
		t.Fatalf("%v: %d calls for a plugin that the cluster has", err, c.masters[1].calls-calls)
	}
}

func TestNewID(t *testing.T) {
	for name, want := range map[string]string{
		"wordcount":  `^wordcount-[0-9a-f]{10}$`,
		"Über_1 /..": `^ber-1-[0-9a-f]{10}$`,
		"":           `^[0-9a-f]{10}$`,
		"日本":         `^[0-9a-f]{10}$`,
	} {
		if id := NewID(name); !regexp.MustCompile(want).MatchString(id) || id == NewID(name) {
			t.Errorf("%q: %s", name, id)
		}
	}
}
