package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// patience is how long what a signal asks for may take. Nothing waits that long unless it hangs.
const patience = 20 * time.Second

// signalFletch is the command
//
//	signal NAME TARGET CODE ARGUMENT...
//
// which runs fletch with a job that writes its process id to the file started, sends a signal once it has, and wants
// fletch to end with CODE, and the job's process to end. TARGET is fletch, job, both, or the group of both, as a terminal
// does it; twice is the group, and once more a little later. A CODE of -1 is that of a process that the signal killed. stdout, stderr and error look at what was printed.
func signalFletch(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: signal NAME TARGET CODE ARGUMENT...")
	}
	// It is open for writing as well, so that reading waits for the job rather than for somebody to write.
	fifo := ts.MkAbs("started")
	ts.Check(unix.Mkfifo(fifo, 0o600))
	defer os.Remove(fifo)
	started, err := os.OpenFile(fifo, os.O_RDWR, 0)
	ts.Check(err)

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "fletch"), args[3:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), ts.Value(environment{}).([]string)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr // the job has them too: Wait returns once both processes are gone
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = patience
	ts.Check(cmd.Start())
	go func() {
		<-ctx.Done()
		started.Close() // ends the read below
	}()
	line, readErr := bufio.NewReader(started).ReadString('\n')
	if readErr == nil {
		send(ts, args[0], args[1], cmd.Process.Pid, line)
	}
	err = cmd.Wait()
	ts.Stdout().Write(stdout.Bytes())
	ts.Stderr().Write(stderr.Bytes())
	if readErr != nil {
		ts.Fatalf("the job did not start\n%s", stderr.String())
	}
	if errors.Is(err, exec.ErrWaitDelay) || ctx.Err() != nil {
		ts.Check(unix.Kill(-cmd.Process.Pid, unix.SIGKILL)) // what is still there is of this group
		ts.Fatalf("%s to %s: after %v there is still a process\n%s", args[0], args[1], patience, stderr.String())
	}
	wantCode(ts, args[2], cmd.ProcessState.ExitCode())
}

// apart is how long after the first signal the second one counts as another: see local.Main.
const apart = 700 * time.Millisecond

// environment is the key of the script's environment among its values.
type environment struct{}

func send(ts *testscript.TestScript, name, target string, fletch int, line string) {
	signal := unix.SignalNum("SIG" + name)
	job, err := strconv.Atoi(strings.TrimSpace(line))
	ts.Check(err)
	pids, ok := map[string][]int{
		"fletch": {fletch}, "job": {job}, "both": {job, fletch}, "group": {-fletch}, "twice": {-fletch, -fletch},
	}[target]
	if signal == 0 || !ok {
		ts.Fatalf("there is no signal %s or no target %s", name, target)
	}
	for i, pid := range pids {
		if target == "twice" && i > 0 {
			<-time.After(apart)
		}
		if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) { // it may have ended of the first one
			ts.Fatalf("send %s: %v", name, err)
		}
	}
}
