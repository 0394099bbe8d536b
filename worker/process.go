package worker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is an executor's operating system process, with all that it starts: they share a process group.
type process struct {
	cmd     *exec.Cmd
	pipes   [2]*os.File // our ends of standard output and standard error
	readers sync.WaitGroup
	mu      struct {
		sync.Mutex
		running bool // started and not reaped: its id is its own
		killed  bool // or to be killed at its start
	}
}

// environment are the variables that an executor gets from the agent's environment: user code may depend on no others.
var environment = []string{"PATH", "TZ", "LANG"}

const (
	// oomScore makes the kernel choose an executor when the machine runs out of memory, and not the agent or others.
	oomScore = 900
	// drainWait is how long output is awaited after the end of a process, if something else still holds its pipes.
	drainWait = time.Second
)

// start starts the executable in dir. What it prints goes to p.
func (ps *process) start(s *spawner, executable, dir string, inherited []*os.File, p *printed) error {
	cmd := &exec.Cmd{
		Path: executable, Args: []string{"fletch", "executor", "serve"}, Dir: dir, ExtraFiles: inherited,
		// With "crash" a dump has the stacks of all goroutines, of those that run at that moment too.
		Env:         []string{"TMPDIR=" + dir, "GOTRACEBACK=crash"},
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	}
	for _, name := range environment {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	stdout, err := ps.pipe(0)
	if err != nil {
		return err
	}
	defer stdout.Close()
	stderr, err := ps.pipe(1)
	if err != nil {
		return errors.Join(err, ps.pipes[0].Close())
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := s.start(cmd); err != nil {
		return errors.Join(fmt.Errorf("start an executor: %w", err), ps.pipes[0].Close(), ps.pipes[1].Close())
	}
	ps.cmd = cmd
	ps.begin()
	ps.readers.Go(func() { p.read(ps.pipes[0], "stdout") })
	ps.readers.Go(func() { p.read(ps.pipes[1], "stderr") })
	return ps.limit(cmd.Process.Pid)
}

// begin lets signals through. A kill may have come before.
func (ps *process) begin() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.mu.running = true
	if ps.mu.killed {
		ps.signalLocked(-1, unix.SIGKILL)
	}
}

func (ps *process) pipe(i int) (theirs *os.File, err error) {
	ps.pipes[i], theirs, err = os.Pipe()
	return theirs, err
}

// limit sets what the process may do. It may have ended already.
func (ps *process) limit(pid int) error {
	// A limit of 1 keeps the kernel from piping the memory to a collector of core dumps; a limit of 0 would not.
	err := unix.Prlimit(pid, unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}, nil)
	if err == nil {
		err = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte(strconv.Itoa(oomScore)), 0)
	}
	if errors.Is(err, unix.ESRCH) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// wait waits for the end of the process, kills what is left of its group, and reaps it.
func (ps *process) wait() (syscall.WaitStatus, error) {
	pid := ps.cmd.Process.Pid
	var err error
	for {
		// It is not reaped yet: until then its id, and so that of the group, is nobody else's.
		if err = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	ps.mu.Lock()
	ps.signalLocked(-1, unix.SIGKILL)
	ps.mu.running = false
	ps.mu.Unlock()
	state, waitErr := ps.cmd.Process.Wait()
	// A process that has left the group may hold the pipes open for ever.
	for _, p := range ps.pipes {
		err = errors.Join(err, p.SetReadDeadline(time.Now().Add(drainWait)))
	}
	ps.readers.Wait()
	err = errors.Join(err, waitErr, ps.pipes[0].Close(), ps.pipes[1].Close())
	if state == nil {
		return 0, err
	}
	return state.Sys().(syscall.WaitStatus), err
}

// kill kills the process with its group, now or at its start.
func (ps *process) kill() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.mu.killed = true
	ps.signalLocked(-1, unix.SIGKILL)
}

// quit has the process show its stacks and end.
func (ps *process) quit() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.signalLocked(1, unix.SIGQUIT)
}

// signalLocked sends a signal to the process, or with sign -1 to its group.
func (ps *process) signalLocked(sign int, signal syscall.Signal) {
	if ps.mu.running {
		_ = unix.Kill(sign*ps.cmd.Process.Pid, signal) //nolint:errcheck // it can only have ended
	}
}

// pid returns the process's id, or zero if it does not run.
func (ps *process) pid() int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if !ps.mu.running {
		return 0
	}
	return ps.cmd.Process.Pid
}
