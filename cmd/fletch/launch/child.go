package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fletch/local"
)

// child is the program of a job at work.
type child struct {
	cmd    *exec.Cmd
	status *os.File // what local.Main tells: in memory, so that it takes all there is without a reader
	config local.Config
	ended  chan error // of cmd.Wait; room for it
}

// statusFD is the descriptor that the child gets: the first one of ExtraFiles.
const statusFD = 3

// start starts the program and releases it. The caller stays on its thread until wait returns.
func start(ctx context.Context, p program, config Config) (*child, error) {
	// The kernel tells the child when this thread ends, not when this process does.
	runtime.LockOSThread()
	fd, err := unix.MemfdCreate("status", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a file for the job's status: %w", err), p.release())
	}
	status := os.NewFile(uintptr(fd), "status")
	c := &child{cmd: exec.CommandContext(context.WithoutCancel(ctx), p.path, append(p.args, config.Args...)...), status: status, config: config.Local, ended: make(chan error, 1)}
	c.cmd.Args[0] = p.name
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.cmd.ExtraFiles = []*os.File{status}
	c.cmd.Env = append(append(os.Environ(), config.Env...), local.StatusEnv+"="+strconv.Itoa(statusFD))
	// SIGTERM lets an orphan clean up: local.Main cancels the job and leaves behind what does not return.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err = c.cmd.Start()
	if err = errors.Join(err, p.release()); err != nil {
		return nil, errors.Join(err, status.Close())
	}
	go func() { c.ended <- c.cmd.Wait() }()
	return c, nil
}

// oneInterrupt is how long signals count as one: see local.Main, which does likewise.
const oneInterrupt = 500 * time.Millisecond

// wait passes signals on until the child has ended: the first as it is, a later one as the end of the child at once.
func (c *child) wait(signals <-chan os.Signal) (code int, err error) {
	defer runtime.UnlockOSThread()
	defer c.status.Close()
	var first time.Time
	for {
		select {
		case s := <-signals:
			if first.IsZero() {
				first = time.Now()
				err = c.cmd.Process.Signal(s)
			} else if time.Since(first) >= oneInterrupt {
				err = c.cmd.Process.Kill()
			}
			if err != nil && !errors.Is(err, os.ErrProcessDone) {
				return 0, fmt.Errorf("pass a signal on to the job: %w", err)
			}
		case err := <-c.ended:
			return c.outcome(err, !first.IsZero())
		}
	}
}

// outcome says how the child ended, and cleans up if it had no chance to.
func (c *child) outcome(err error, interrupted bool) (code int, _ error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("wait for the job: %w", err)
	}
	state := c.cmd.ProcessState
	status, err := c.told()
	if err != nil {
		return 0, fmt.Errorf("read how the job ended: %w", err)
	}
	if !status.Ended || status.Code != local.ExitDone {
		local.Sweep(c.config, status.Outputs) // the second signal ends a child at once
	}
	if status.Ended {
		return status.Code, nil // and not the process's, which a second signal may have killed behind that
	}
	if interrupted || endedBy(state, os.Interrupt) || endedBy(state, syscall.SIGTERM) { // as a group, the child may be first
		return 0, ErrInterrupted
	}
	return 0, &EndError{state}
}

// endedBy reports whether a signal ended the process.
func endedBy(state *os.ProcessState, s os.Signal) bool {
	wait, ok := state.Sys().(syscall.WaitStatus)
	return ok && wait.Signaled() && wait.Signal() == s
}

// told reads what the child wrote.
func (c *child) told() (local.Status, error) {
	text, err := io.ReadAll(io.NewSectionReader(c.status, 0, math.MaxInt64)) // the child has moved the offset that both share
	return local.ParseStatus(string(text)), err
}

// EndError means that the child ended in a way that local.Main did not choose.
type EndError struct{ state *os.ProcessState }

func (e *EndError) Error() string {
	switch {
	case endedBy(e.state, syscall.SIGKILL):
		return "the job's process was killed, as the kernel does when memory runs out: give it less with --memory, or the machine more; no output was published"
	case !e.state.Exited():
		return fmt.Sprintf("the job's process was ended by a signal (%v); no output was published", e.state)
	case e.state.ExitCode() == 0:
		return "the job's process ended by itself with exit code 0, without a word about the job: does its main function call local.Main(Job), or its code os.Exit?"
	case e.state.ExitCode() == goCrash:
		return "the job's process ended by itself with exit code 2: its code crashed, as Go says above, or called os.Exit; no output was published"
	}
	return fmt.Sprintf("the job's process ended by itself with exit code %d: its code called os.Exit or log.Fatal; no output was published", e.state.ExitCode())
}

// goCrash is the exit code of a Go program that panics where nothing recovers, or ends with a fatal error.
const goCrash = 2
