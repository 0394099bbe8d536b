package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLogs reads what attempts logged and executors printed, and follows it to the job's end.
func TestLogs(t *testing.T) {
	b := newBench(t, nil)
	s := b.master.session()
	if status, _ := b.get("/v1/jobs/words/logs"); status != http.StatusNotFound {
		t.Errorf("the log of no job: %d", status)
	}
	s.job("words", b.plugin, "ok", "log counting <words>", "print to standard output", "panic in the house")
	s.start("words", "words_0", 0)
	s.end("words_0")
	s.start("words", "words_1", 1)
	s.end("words_1")
	line := b.logged("words", "counting <words>")
	if line.Attempt != "words_0" || line.Level != "INFO" || !line.Time.Equal(time.Unix(0, 42)) || line.Text != "counting <words>" {
		t.Errorf("%v", line)
	}
	if line := b.logged("words", "to standard output"); line.Level != "stdout" || line.Attempt != "" || line.Time.IsZero() {
		t.Errorf("%v", line)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + b.worker.Address() + "/v1/jobs/words/logs?follow=1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	s.start("words", "words_2", 2)
	s.end("words_2")
	s.endJob("words")
	var text bytes.Buffer
	if _, err := text.ReadFrom(r.Body); err != nil {
		t.Error(err)
	}
	for _, word := range []string{"counting", "panic: in the house", "goroutine ", "the executor died"} {
		if !strings.Contains(text.String(), word) {
			t.Errorf("the log that was followed lacks %q:\n%s", word, &text)
		}
	}
	if _, again := b.get("/v1/jobs/words/logs"); again != text.String() {
		t.Errorf("the log of the ended job differs from the one that was followed")
	}
}

func TestLogBounds(t *testing.T) {
	dir := t.TempDir()
	l, err := openLogs(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, err := l.open("words")
	if err != nil {
		t.Fatal(err)
	}
	j.add("INFO", strings.Repeat("x", logTextBytes+1)+"\xff")
	lines := logBytes/logTextBytes + 2
	for range lines {
		j.add("INFO", strings.Repeat("y", logTextBytes))
	}
	if err := j.end(); err != nil {
		t.Fatal(err)
	}
	j.add("INFO", "too late")
	var text bytes.Buffer
	if err := j.copyTo(context.Background(), &text, true, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	kept := strings.Count(text.String(), "\n")
	if text.Len() > logBytes+1000 || !strings.Contains(text.String(), "x... (cut)") ||
		!strings.Contains(text.String(), fmt.Sprintf("%d further records were dropped: a job's log takes 16 MiB", 1+lines-(kept-1))) {
		t.Errorf("%d lines, %d bytes, ending in %q", kept, text.Len(), text.String()[max(0, text.Len()-200):])
	}
}

// TestLogsKept keeps the latest ended jobs' logs, over restarts as well, and those of jobs that go on.
func TestLogsKept(t *testing.T) {
	dir := t.TempDir()
	l, err := openLogs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "foreign"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long, err := l.open("long")
	if err != nil {
		t.Fatal(err)
	}
	for i := range logJobs {
		j, err := l.open(fmt.Sprintf("job-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		j.add("INFO", "hello")
		if err := j.end(); err != nil {
			t.Fatal(err)
		}
	}
	has := func(l *logs, job string) bool { return l.get(job) != nil }
	if !has(l, "long") || has(l, "job-0") || !has(l, "job-1") {
		t.Error("the oldest log of an ended job is not the one that went")
	}
	long.add("INFO", "still here")
	if err := long.end(); err != nil {
		t.Fatal(err)
	}
	if l, err = openLogs(dir); err != nil {
		t.Fatal(err)
	}
	if !has(l, "long") || !has(l, "job-1") || !has(l, "job-99") {
		t.Error("logs went with the restart")
	}
	if err := os.Remove(l.get("long").path); err != nil { // as somebody may do by hand
		t.Fatal(err)
	}
	j, err := l.open("new")
	if err != nil {
		t.Fatal(err)
	}
	if has(l, "long") || !has(l, "job-1") || !has(l, "new") {
		t.Error("a new log does not replace the oldest")
	}
	if err := j.end(); err != nil {
		t.Error(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != logJobs+1 {
		t.Errorf("%d files, %v: want %d and the foreign one", len(files), err, logJobs)
	}
}

// TestFollowEnds ends a reader that follows when its request does.
func TestFollowEnds(t *testing.T) {
	l, err := openLogs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	j, err := l.open("words")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	var text bytes.Buffer
	if err := j.copyTo(ctx, &text, true, func() error { return nil }); err == nil {
		t.Error("it has come to an end")
	}
	if err := j.end(); err != nil {
		t.Error(err)
	}
}

// TestLogNotRead asks for a long log and takes none of it. The worker gives up, and lets go of the file.
func TestLogNotRead(t *testing.T) {
	b := newBench(t, func(c *Config) { c.waits.send = 50 * time.Millisecond })
	log, err := b.worker.logs.open("words")
	if err != nil {
		t.Fatal(err)
	}
	for range logBytes / logTextBytes {
		log.add("INFO", strings.Repeat("x", logTextBytes-1000))
	}
	conn, err := net.Dial("tcp", b.worker.Address())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET /v1/jobs/words/logs?follow=1 HTTP/1.1\r\nHost: worker\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 200"))); err != nil {
		t.Fatal(err)
	}
	writersAlone := func() bool {
		open := 0
		for _, name := range openFiles(t) {
			if name == log.path {
				open++
			}
		}
		return open == 1
	}
	eventually(t, "it gives up", writersAlone, func() string { return strings.Join(openFiles(t), " ") })
	if err := errors.Join(conn.Close(), log.end()); err != nil {
		t.Error(err)
	}
}

// TestHealth is ready while there is a leader.
func TestHealth(t *testing.T) {
	b := newBench(t, nil)
	s := b.master.session()
	eventually(t, "it is ready", func() bool { status, _ := b.get("/readyz"); return status == 200 }, func() string { return "" })
	s.job("words", b.plugin, "ok", "ok", "fail")
	s.start("words", "words_0", 0)
	s.start("words", "words_1", 1)
	s.ends("words_0", "words_1")
	_, metrics := b.get("/metrics")
	for _, line := range []string{
		"fletch_worker_connected 1", "fletch_worker_attempts_started_total 2", `fletch_worker_attempts_ended_total{outcome="succeeded"} 1`,
		`fletch_worker_attempts_ended_total{outcome="user"} 1`, "fletch_worker_attempts_running 0", "go_goroutines",
	} {
		if !strings.Contains(metrics, line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	b.master.server.Stop()
	eventually(t, "it is not ready", func() bool { status, _ := b.get("/readyz"); return status == 503 }, func() string { return "" })
	if status, _ := b.get("/livez"); status != 200 {
		t.Errorf("/livez: %d", status)
	}
}
