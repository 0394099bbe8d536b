package master

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"fletch/api"
	"fletch/test/fakeworker"
)

// logServer is a worker's side of a job's log.
func logServer(t *testing.T, serve http.HandlerFunc) (address string) {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// TestJobLogs follows a log that one worker has, one has later, one sends elsewhere for, and one does not serve.
func TestJobLogs(t *testing.T) {
	c := newCluster(t, 1)
	var asked, elsewhere, second atomic.Int32
	target := logServer(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	c.worker(&fakeworker.Worker{ID: "w1", Slots: 10, Attempt: hangs(&second), Address: logServer(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"time":"2026-01-02T03:04:05Z","attempt":"a","level":"INFO","text":"%s %s"}`+"\n", r.URL.Path, r.URL.RawQuery)
		fmt.Fprintln(w, `{"time":"2026-01-02T03:04:06Z","attempt":"a","level":"INFO","text":"again"}`)
	})})
	c.worker(&fakeworker.Worker{ID: "w2", Slots: 1, Attempt: hangs(&second), Address: logServer(t, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintln(w, `{"time":"2026-01-02T03:04:05Z","level":"stdout","text":"later"}`)
	})})
	c.worker(&fakeworker.Worker{ID: "w3", Slots: 1, Attempt: hangs(&second), Address: logServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+target, http.StatusFound)
	})})
	c.worker(&fakeworker.Worker{ID: "w4", Slots: 1, Attempt: hangs(&second)})
	c.submit(&api.SubmitRequest{Id: "job-1", Graph: twoStages(filepath.Join(t.TempDir(), "out"), 10)})
	eventually(t, "the job runs", func() bool { return second.Load() > 0 })

	stream, err := c.client().JobLogs(t.Context(), &api.JobLogsRequest{Id: "job-1", Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for {
		line, err := stream.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(line.GetText(), ": dial")
		if lines = append(lines, line.GetWorker()+" "+text); len(lines) == 5 { // all that there is
			if _, err := c.client().CancelJob(t.Context(), &api.CancelJobRequest{Id: "job-1"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.Sort(lines)
	want := []string{
		"w1 /v1/jobs/job-1/logs follow=1", "w1 again", "w2 later",
		"w3 the log of this worker can't be had: it answers 302 Found",
		`w4 the log of this worker can't be had: Get "http://127.0.0.1:1/v1/jobs/job-1/logs?follow=1"`,
	}
	if !slices.Equal(lines, want) || elsewhere.Load() > 0 {
		t.Errorf("lines %q, want %q; %d requests went elsewhere", lines, want, elsewhere.Load())
	}
	stream, err = c.client().JobLogs(t.Context(), &api.JobLogsRequest{Id: "job-2"})
	if err == nil {
		_, err = stream.Recv()
	}
	if err == nil || !strings.Contains(err.Error(), "there is no job job-2") {
		t.Errorf("the log of a job that is not there: %v", err)
	}
}
