package worker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fletch/api"
	"fletch/fault"
)

// This program is its own executor.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "executor" {
		if err := runFakeExecutor(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// bench is a worker at work, with a master.
type bench struct {
	t      testing.TB
	master *fakeMaster
	worker *Worker
	log    *lockedBuffer
	stop   func()
	plugin string
}

// newBench starts a worker. Its clean-up checks that the worker leaves neither a process nor a descriptor behind.
func newBench(t testing.TB, change func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, master: newFakeMaster(t), log: &lockedBuffer{}}
	b.plugin = b.master.plugin("a plugin\nof two lines\n")
	before := openFiles(t)
	b.run(t.TempDir(), change)
	t.Cleanup(func() {
		b.stop()
		b.master.server.Stop()
		if left := children(t); len(left) > 0 {
			t.Errorf("processes are left: %v", left)
		}
		var after []string
		eventually(t, "descriptors are closed", func() bool {
			after = openFiles(t)
			return len(after) <= len(before)
		}, func() string { return fmt.Sprintf("before %q, after %q", before, after) })
		if t.Failed() {
			t.Logf("log of the worker:\n%s", b.log)
		}
	})
	return b
}

// run starts a worker in dir.
func (b *bench) run(dir string, change func(*Config)) {
	b.t.Helper()
	config := Config{
		Dir: dir, Masters: []string{b.master.address}, Slots: 8, Parallelism: 2, MemoryBytes: 1 << 30,
		Log:   slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		check: func(string, string, bool) error { return nil },
		waits: defaultWaits,
	}
	config.waits.poll = 10 * time.Millisecond
	if change != nil {
		change(&config)
	}
	w, err := New(config)
	if err != nil {
		b.t.Fatal(err)
	}
	b.worker = w
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := receive(b.t, done, "the worker's end"); err != nil {
			b.t.Error(err)
		}
	})
}

// get requests a page of the worker.
func (b *bench) get(path string) (status int, body string) {
	b.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := client.Get("http://" + b.worker.Address() + path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

// logged waits for a line in a job's log.
func (b *bench) logged(job, text string) (found *logLine) {
	b.t.Helper()
	var last string
	eventually(b.t, "the log has "+text, func() bool {
		var status int
		if status, last = b.get("/v1/jobs/" + job + "/logs"); status != http.StatusOK {
			return false // the job has not begun
		}
		lines := bufio.NewScanner(strings.NewReader(last))
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			found = &logLine{}
			if err := json.Unmarshal(lines.Bytes(), found); err != nil {
				b.t.Fatalf("%v: %s", err, lines.Text())
			}
			if strings.Contains(found.Text, text) {
				return true
			}
		}
		return false
	}, func() string { return last })
	return found
}

// want checks the error of an attempt.
func want(t testing.TB, e *api.AttemptEnded, class fault.Class, words ...string) error {
	t.Helper()
	err := e.GetError().Err()
	if err == nil {
		t.Fatalf("%s succeeded", e.Attempt)
	}
	if fault.ClassOf(err) != class {
		t.Errorf("%s: class %v, want %v: %v", e.Attempt, fault.ClassOf(err), class, err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q lacks %q", e.Attempt, err, w)
		}
	}
	return err
}

func succeeded(t testing.TB, e *api.AttemptEnded) {
	t.Helper()
	if e.Error != nil || e.Result == nil {
		t.Errorf("%s failed: %v", e.Attempt, e.Error)
	}
}

// alive tells whether a process runs.
func alive(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// workFiles returns what is in the directory for intermediate data.
func workFiles(t testing.TB, b *bench) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(b.worker.dir.work())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// eventually polls for what has no event.
func eventually(t testing.TB, what string, is func() bool, state func() string) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s; %s", what, state())
		}
	}
}

// children returns the processes that this one has started, those that have ended and not been waited for among them.
func children(t testing.TB) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // a thread that has ended
		}
		pids = append(pids, strings.Fields(string(b))...)
	}
	return pids
}

// openFiles returns what this process has open.
func openFiles(t testing.TB) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.HasPrefix(name, "/proc/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
