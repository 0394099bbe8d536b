package local

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"fletch/engine"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/internal/machine"
	"fletch/report"
)

// The exit codes of Main.
const (
	ExitDone        = 0
	ExitFailed      = 1   // the job failed
	ExitUsage       = 2   // the arguments or settings are wrong; nothing ran
	ExitInterrupted = 130 // Ctrl-C or a request to terminate
)

// Main runs a job as a program: it calls declare with the program's arguments, runs the job in this process and exits.
// The engine's own settings come from the environment: see Settings. Progress, the summary and errors go to standard
// error. Ctrl-C cancels the job, a second one ends the process at once.
func Main(declare func(args []string) (*engine.Job, error)) { MainWith(declare, os.Args[1:]) }

// MainWith is Main with other arguments than the program's.
func MainWith(declare func(args []string) (*engine.Job, error), args []string) {
	status := openStatus()
	code := mainCode(declare, args, status)
	status.ended(code)
	os.Exit(code)
}

func mainCode(declare func(args []string) (*engine.Job, error), args []string, status status) int {
	config, err := FromEnv(os.Getenv)
	if err == nil {
		config, err = config.withDefaults()
	}
	if err != nil {
		printError(os.Stderr, err)
		return ExitUsage
	}
	job, err := engine.Declare(declare, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return ExitDone
	case err != nil:
		printError(os.Stderr, err)
		if class := fault.ClassOf(err); class == fault.User || class == fault.Permanent {
			return ExitFailed
		}
		return ExitUsage
	}
	machine.LimitHeap(config.MemoryBytes)
	status.outputs(job)
	ctx, stop := interruptible(status)
	defer stop()
	if config.Explain {
		err = explain(ctx, os.Stdout, job, config)
	} else {
		err = show(ctx, job, config)
	}
	switch {
	case err == nil:
		return ExitDone
	case fault.ClassOf(err) == fault.Cancelled: // which comes too late once the outputs are being published
		printError(os.Stderr, fmt.Errorf("%w: the job was cancelled and no output was published", context.Cause(ctx)))
		return ExitInterrupted
	default:
		printError(os.Stderr, err)
		return ExitFailed
	}
}

// oneInterrupt is how long signals count as one: a terminal, timeout and fletch run each send one to the process and one
// to its group, or pass on what they get.
const oneInterrupt = 500 * time.Millisecond

// interruptible returns a context that ends with the first signal to end; a later one ends the process.
func interruptible(status status) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2) // closed by no one
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		cancel(fmt.Errorf("received %v", <-signals))
		for first := time.Now(); time.Since(first) < oneInterrupt; {
			<-signals
		}
		status.ended(ExitInterrupted)
		os.Exit(ExitInterrupted)
	}()
	return ctx, func() { signal.Stop(signals) }
}

// explain prints the job's plan.
func explain(ctx context.Context, w io.Writer, job *engine.Job, config Config) error {
	p, err := prepare(ctx, job, config)
	if err != nil {
		return err
	}
	if config.JSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(struct {
			Graph  *plan.Graph  `json:"graph"`
			Stages []plan.Stage `json:"stages"`
		}{p.graph, p.stages})
	}
	_, err = io.WriteString(w, plan.Explain(p.graph, p.stages, plan.Facts{Splits: p.splits, Partitions: config.Partitions}))
	return err
}

// show runs the job with progress on standard error and the result where the configuration says.
func show(ctx context.Context, job *engine.Job, config Config) error {
	display := report.DisplayOf(os.Stderr)
	progress := report.NewProgress(os.Stderr, display)
	config.Log = slog.New(slog.NewTextHandler(progress, nil))
	watch := func(j report.Job) { progress.Update(time.Now(), j) }
	if config.Quiet {
		watch = nil
	}
	out, err := run(ctx, job, config, watch)
	progress.Done()
	if err != nil && out.State == "" { // it did not begin
		out.Name, out.State, out.Error = job.Name(), report.Failed, err.Error()
	}
	if config.JSON {
		return errors.Join(err, report.JSON(os.Stdout, out))
	}
	if err == nil && !config.Quiet {
		report.Summary(os.Stderr, out)
	}
	return err
}

// printError prints an error as a person wants to read it: the message, and of a panic the lines of the job's code.
func printError(w io.Writer, err error) {
	fmt.Fprintf(w, "error: %v\n", err)
	if op, ok := errors.AsType[*exec.OperatorError](err); ok {
		fmt.Fprint(w, op.Frames())
	}
}
