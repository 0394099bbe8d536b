package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"fletch/engine/plan"
	"fletch/fault"
)

// DescribeConfig says which plugin to ask for its graph. A field that is zero takes its default.
type DescribeConfig struct {
	// Executable is the program whose command "executor describe" answers. Default: this program.
	Executable string
	// Path is the plugin's file.
	Path string
	// SHA256 is what the file has to have, in hexadecimal digits. Default: any.
	SHA256 string
	// Args are the job's own arguments.
	Args []string
	// Timeout is how long it may take. Default: 30 s.
	Timeout time.Duration
	// Stderr takes what the job's code prints, up to a limit, such as its help. Default: nobody.
	Stderr io.Writer
}

const (
	describeWait = 30 * time.Second
	// printedBytes is how much of what the job's code prints is passed on.
	printedBytes = 1 << 20
	// lingerWait is how long processes that the job's code has started, and that escaped their end, may keep pipes open.
	lingerWait = 500 * time.Millisecond
)

// UsageError is what the function Job returned: it does not take these arguments.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

func (e *UsageError) Unwrap() error { return e.Err }

// Describe asks a plugin for the graph of its job, with the paths of inputs and outputs absolute. The plugin's code runs in
// a process of its own, which is gone when Describe returns. If the job was asked for its help the error is flag.ErrHelp:
// the help has been printed. A mistake in the arguments is a UsageError. Any other error of the job's code is of class
// fault.User or fault.Permanent and may have a method Frames, as exec.OperatorError does.
func Describe(ctx context.Context, config DescribeConfig) (*plan.Graph, error) {
	if config.Executable == "" {
		config.Executable = "/proc/self/exe"
	}
	if config.Timeout == 0 {
		config.Timeout = describeWait
	}
	if config.Stderr == nil {
		config.Stderr = io.Discard
	}
	// The kernel kills the child when this thread ends, not when this process does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d, err := startDescriber(config)
	if err != nil {
		return nil, fmt.Errorf("start a process for the job's code: %w", err)
	}
	return d.wait(ctx, config.Timeout)
}

// describer is the child at work.
type describer struct {
	cmd    *exec.Cmd
	pipe   *os.File
	answer chan []byte // all that the child writes; room for it
	ended  chan error  // closed or sent to once the child has ended, and is still there to be waited for; room for one
}

// answerFD is the descriptor on which the child answers: the first one of ExtraFiles.
const answerFD = 3

func startDescriber(config DescribeConfig) (*describer, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	args := []string{"executor", "describe", "--sha256", config.SHA256, config.Path, "--"}
	d := &describer{
		cmd: exec.Command(config.Executable, append(args, config.Args...)...), pipe: r, //nolint:noctx // wait ends it with its group
		answer: make(chan []byte, 1), ended: make(chan error, 1),
	}
	d.cmd.Args[0] = "fletch"
	printed := &cutter{w: config.Stderr, left: printedBytes}
	d.cmd.Stdout, d.cmd.Stderr = printed, printed
	d.cmd.ExtraFiles = []*os.File{w}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	d.cmd.WaitDelay = lingerWait
	err = d.cmd.Start()
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	go func() {
		answer, _ := io.ReadAll(io.LimitReader(r, maxAnswerBytes)) //nolint:errcheck // what is missing shows in what is there
		d.answer <- answer
	}()
	go func() { d.ended <- waitEnded(d.cmd.Process.Pid) }()
	return d, nil
}

// waitEnded waits until a child has ended and leaves it there, so that its process group can still be named.
func waitEnded(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// wait returns what the child answers, or why it did not. The child and all of its group are gone then.
func (d *describer) wait(ctx context.Context, timeout time.Duration) (*plan.Graph, error) {
	late := time.NewTimer(timeout)
	defer late.Stop()
	var why error // the child did not end by itself
	select {
	case err := <-d.ended:
		d.ended <- err
	case <-late.C:
		why = errLate
	case <-ctx.Done():
		why = context.Cause(ctx)
	}
	err := unix.Kill(-d.cmd.Process.Pid, unix.SIGKILL)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("end the process of the job's code: %w", err)
	}
	if err := errors.Join(<-d.ended, d.reap()); err != nil {
		return nil, fmt.Errorf("wait for the process of the job's code: %w", err)
	}
	a, err := parseAnswer(<-d.answer)
	switch {
	case a.complete():
		return a.graph, a.err
	case errors.Is(why, errLate):
		return nil, userf("%s did not return within %v", a.where(), timeout)
	case why != nil:
		return nil, why
	case err != nil:
		return nil, userf("the process of the job's code answered with something else than a graph: %w", err)
	}
	return nil, diedError(a.where(), d.cmd.ProcessState)
}

var errLate = errors.New("too late")

// reap takes the child's end and lets go of its pipes, which others may still hold.
func (d *describer) reap() error {
	err := d.cmd.Wait()
	if _, ended := errors.AsType[*exec.ExitError](err); ended || errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return errors.Join(err, d.pipe.SetReadDeadline(time.Now().Add(lingerWait)))
}

// userf makes an error that is the job's code's fault.
func userf(format string, args ...any) error {
	return fault.As(fault.User, fmt.Errorf(format, args...))
}

// goCrash is the exit code of a Go program that ends with a fatal error, or panics where nothing recovers.
const goCrash = 2

// diedError says of a child that ended without an answer what may have ended it.
func diedError(where string, state *os.ProcessState) error {
	wait, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && wait.Signaled() && wait.Signal() == syscall.SIGKILL:
		return userf("%s: its process was killed, as the kernel does when memory runs out", where)
	case ok && wait.Signaled():
		return userf("%s: its process was ended by a signal (%v)", where, wait.Signal())
	case state.ExitCode() == goCrash:
		return userf("%s ended its process with exit code %d: it crashed, as Go says above, or called os.Exit", where, goCrash)
	}
	return userf("%s ended its process with exit code %d: return an error instead of calling os.Exit or log.Fatal", where, state.ExitCode())
}

// cutter passes on as many bytes as are left.
type cutter struct {
	w    io.Writer
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	if n == 0 {
		return len(p), nil
	}
	c.left -= n
	if _, err := c.w.Write(p[:n]); err != nil {
		return 0, err
	}
	if c.left == 0 {
		fmt.Fprintf(c.w, "\n... (more than %d bytes: the rest is left out)\n", printedBytes)
	}
	return len(p), nil
}
