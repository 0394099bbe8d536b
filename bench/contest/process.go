// Package contest lets programs do the same work and measures them as whole processes, from start to exit, in turn, so
// that a machine whose speed drifts treats all alike. A result that is wrong is an error: a wrong program has no speed.
package contest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"fletch/bench/proc"
)

// Usage is what one run of a program took.
type Usage struct {
	Wall      time.Duration
	CPU       time.Duration // user and system, of the program and of those that it waited for; 0 where servers do the work
	PeakBytes int64         // the most memory: see proc.Memory; 0 where a program of little memory ended too soon to be seen
}

// process is a program to run.
type process struct {
	program string
	args    []string
	env     []string // beside this process's own
	servers []int    // see Contestant
}

// run runs a program to its end. Where ctx ends first, all that the program has started ends with it.
func run(ctx context.Context, p process) (Usage, error) {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, p.program, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout = &output
	cmd.Stderr = &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return Usage{}, err
	}
	roots := p.servers
	if len(roots) == 0 {
		roots = []int{cmd.Process.Pid}
	}
	meter := startMeter(roots)
	err := cmd.Wait()
	wall := time.Since(begin)
	peak, wrong := meter.stop()
	switch {
	case ctx.Err() != nil:
		return Usage{}, fmt.Errorf("%s: %w", cmd, context.Cause(ctx))
	case err != nil:
		return Usage{}, fmt.Errorf("%s: %w\n%s", cmd, err, output.Bytes())
	case wrong != nil:
		return Usage{}, fmt.Errorf("measure the memory of %s: %w", cmd, wrong)
	}
	u := Usage{Wall: wall, PeakBytes: peak}
	if len(p.servers) == 0 {
		u.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		exact, err := exactPeak(cmd.ProcessState)
		if err != nil {
			return Usage{}, err
		}
		u.PeakBytes = max(peak, exact)
	}
	return u, nil
}

// exactPeak returns the most resident memory that a program, or any process that it waited for, has had. The kernel counts
// towards it what this process has when it starts the program: up to there nothing is known, and the peak is 0. So
// nothing in this process may hold much memory: inputs are made by a child too, and results are read as streams.
func exactPeak(state *os.ProcessState) (int64, error) {
	own, err := proc.StatusOf(os.Getpid())
	if err != nil {
		return 0, err
	}
	if peak := state.SysUsage().(*syscall.Rusage).Maxrss << 10; peak > own.Peak {
		return peak, nil
	}
	return 0, nil
}
