package worker

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fletch/fault"
)

// TestEnvironment checks what an executor gets of its surroundings.
func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET", "of the agent")
	t.Setenv("TZ", "UTC")
	b := newBench(t, nil)
	s := b.master.session()
	s.job("words", b.plugin, "environment", "child")
	s.start("words", "words_0", 0)
	text := b.logged("words", "environment").Text
	for _, word := range []string{"PATH=", "TZ=UTC", "GOTRACEBACK=crash", "TMPDIR=" + b.worker.dir.work() + "/executor."} {
		if !strings.Contains(text, word) {
			t.Errorf("%q lacks %q", text, word)
		}
	}
	if strings.Contains(text, "SECRET") || !strings.Contains(text, "] "+b.worker.dir.work()+"/executor.") {
		t.Errorf("environment and directory: %q", text)
	}
	var sleeper, executor int
	if _, err := fmt.Sscanf(b.logged("words", "child").Text, "child %d of %d", &sleeper, &executor); err != nil {
		t.Fatal(err)
	}
	var core unix.Rlimit
	if err := unix.Prlimit(executor, unix.RLIMIT_CORE, nil, &core); err != nil || core.Max > 1 {
		t.Errorf("limit of core dumps: %+v, %v", core, err)
	}
	if score, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", executor)); err != nil || string(score) != "900\n" {
		t.Errorf("oom_score_adj %q, %v", score, err)
	}
	if group, err := unix.Getpgid(executor); err != nil || group != executor {
		t.Errorf("process group %d of %d, %v", group, executor, err)
	}
	for fd, want := range map[int]string{0: "/dev/null", 1: "pipe:", 2: "pipe:", 3: "socket:", 4: "socket:"} {
		if name, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", executor, fd)); err != nil || !strings.HasPrefix(name, want) {
			t.Errorf("descriptor %d is %s, %v: want %s", fd, name, err, want)
		}
	}
	s.stop("words_0", "enough")
	s.end("words_0")
}

// TestOrphans kills an agent that has a spare executor. The executor does not outlive it.
func TestOrphans(t *testing.T) {
	if dir := os.Getenv("ORPHANS_DIR"); dir != "" { // the agent that is killed
		b := newBench(t, nil)
		s := b.master.session()
		s.job("words", b.plugin, "deaf", "child")
		s.start("words", "words_0", 0)
		b.logged("words", "child")
		eventually(t, "there is a spare, too", func() bool { return len(children(t)) == 2 }, func() string { return "" })
		fmt.Println("children", strings.Join(children(t), " "))
		select {}
	}
	agent := exec.Command(os.Args[0], "-test.run=^TestOrphans$")
	agent.Env = append(os.Environ(), "ORPHANS_DIR="+t.TempDir())
	out, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	var executor, spare int
	line, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		_, err = fmt.Sscanf(line, "children %d %d", &executor, &spare)
	}
	if err != nil {
		t.Errorf("%v: %q", err, line)
	}
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait()
	eventually(t, "the executors end", func() bool { return !alive(executor) && !alive(spare) }, func() string { return line })
}

// TestDeafExecutor ends a job whose executor does not want to end.
func TestDeafExecutor(t *testing.T) {
	b := newBench(t, func(c *Config) { c.waits.end = 200 * time.Millisecond })
	s := b.master.session()
	s.job("words", b.plugin, "deaf", "child")
	s.start("words", "words_0", 0)
	var sleeper, executor int
	if _, err := fmt.Sscanf(b.logged("words", "child").Text, "child %d of %d", &sleeper, &executor); err != nil {
		t.Fatal(err)
	}
	s.endJob("words")
	eventually(t, "it ends", func() bool { return !alive(executor) && !alive(sleeper) }, func() string { return "" })
}

// TestSpawnerThread lets threads of the agent end. The kernel would kill the executors that they have started.
func TestSpawnerThread(t *testing.T) {
	b := newBench(t, nil)
	s := b.master.session()
	s.job("words", b.plugin, "ok", "work")
	s.start("words", "words_0", 0)
	s.running("words_0")
	var threads sync.WaitGroup
	for range 50 {
		threads.Go(runtime.LockOSThread) // the thread ends with the goroutine
	}
	threads.Wait()
	s.stop("words_0", "enough")
	want(t, s.end("words_0"), fault.Cancelled, "was told to stop")
}

// TestDeadSpare replaces a spare that dies.
func TestDeadSpare(t *testing.T) {
	b := newBench(t, nil)
	b.master.session()
	var before []string
	eventually(t, "there is a spare", func() bool { before = children(t); return len(before) == 1 }, func() string { return "" })
	var pid int
	if _, err := fmt.Sscan(before[0], &pid); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is another one", func() bool { after := children(t); return len(after) == 1 && after[0] != before[0] }, func() string { return "" })
}

// TestNoExecutable fails attempts, not the worker, where executors can't be started.
func TestNoExecutable(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Executable = "/nonexistent/fletch" })
	s := b.master.session()
	s.job("words", b.plugin, "ok", "ok")
	s.start("words", "words_0", 0)
	want(t, s.end("words_0"), 0, "start an executor", "no such file")
}

// TestSilentExecutor gives up an executor that never speaks.
func TestSilentExecutor(t *testing.T) {
	script := t.TempDir() + "/mute"
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(c *Config) { c.Executable, c.waits.hello = script, 500*time.Millisecond })
	s := b.master.session()
	s.job("words", b.plugin, "ok", "ok")
	s.start("words", "words_0", 0)
	want(t, s.end("words_0"), 0, "the executor has not connected within 500ms")
}
