package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"fletch/local"
)

// Config says what to run.
type Config struct {
	Job    string       // a directory or an import path as go build takes it, or a plugin: a file FILE.so
	Args   []string     // the job's own
	Env    []string     // the engine's settings, as NAME=value; they come after this process's environment
	Local  local.Config // the same settings, read
	Stderr io.Writer    // takes what a person wants to know before the job starts
}

// UsageError is a mistake in what to run: nothing ran.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

func (e *UsageError) Unwrap() error { return e.Err }

// ErrInterrupted means that a signal ended the run before the job could say so itself.
var ErrInterrupted = errors.New("interrupted: no output was published")

// Run runs the job, after it has built its package. It returns the exit code of a child that told what became of its job; the error is of the
// build, or of a child that did not tell.
func Run(ctx context.Context, config Config) (code int, err error) {
	signals := make(chan os.Signal, 8) // closed by no one
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	p, err := prepare(ctx, config)
	if err != nil {
		return 0, errors.Join(err, p.release())
	}
	c, err := start(ctx, p, config)
	if err != nil {
		return 0, err
	}
	return c.wait(signals)
}

// prepare makes the program of the job.
func prepare(ctx context.Context, config Config) (program, error) {
	if info, err := os.Stat(config.Job); strings.HasSuffix(config.Job, ".so") && (err != nil || !info.IsDir()) {
		if err != nil {
			return program{}, &UsageError{fmt.Errorf("open the plugin: %w", err)}
		}
		return executor(config.Job), nil
	}
	building, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	slow := time.AfterFunc(time.Second, func() {
		if !config.Local.Quiet {
			fmt.Fprintf(config.Stderr, "building %s ...\n", config.Job)
		}
	})
	defer slow.Stop()
	p, err := build(building, config.Job)
	if building.Err() != nil {
		return p, ErrInterrupted
	}
	return p, err
}
