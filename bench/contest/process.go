// Package contest lets programs do the same work and measures them as whole processes, from start to exit, in turn, so
// that a machine whose speed drifts treats all alike. Results that differ are an error: a wrong program has no speed.
package contest

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Usage is what one process took.
type Usage struct {
	Wall      time.Duration
	CPU       time.Duration // user and system, of all threads
	PeakBytes int64         // the largest resident memory; mapped pages of files count
}

// run runs a program to its end.
//
// The kernel counts the memory of the process that starts a program towards the program's peak, until exec replaces it.
// So nothing in this process may hold much memory: input is made by a child too, and results are read as streams.
func run(ctx context.Context, program string, args ...string) (Usage, error) {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout = &output
	cmd.Stderr = &output
	begin := time.Now()
	err := cmd.Run()
	wall := time.Since(begin)
	if ctx.Err() != nil {
		return Usage{}, fmt.Errorf("%s: %w", cmd, context.Cause(ctx))
	}
	if err != nil {
		return Usage{}, fmt.Errorf("%s: %w\n%s", cmd, err, output.Bytes())
	}
	state := cmd.ProcessState
	return Usage{
		Wall:      wall,
		CPU:       state.UserTime() + state.SystemTime(),
		PeakBytes: peakBytes(state.SysUsage().(*syscall.Rusage)),
	}, nil
}

// peakBytes minds that Linux counts in KiB.
func peakBytes(r *syscall.Rusage) int64 {
	if runtime.GOOS == "linux" {
		return r.Maxrss << 10
	}
	return r.Maxrss
}
