package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/urfave/cli/v2"

	"fletch/client"
	"fletch/cmd/fletch/config"
	"fletch/cmd/fletch/launch"
	"fletch/engine/plan"
	"fletch/local"
	"fletch/plugins"
	"fletch/worker/executor"
)

// submitSettings say how a job is to run.
type submitSettings struct {
	partitions int
	maxLine    int64
}

func (s *submitSettings) section() config.Section {
	return config.Section{Name: "submit", Settings: []config.Setting{
		{Name: "partitions", Usage: "make `N` hash partitions (default: by the input's size)", Value: config.Count(&s.partitions, 1, plan.MaxPartitions)},
		{Name: "max-line", Usage: "refuse longer lines of text than `SIZE` (default: 16MiB)", Value: config.Size(&s.maxLine, 1, 1<<30)},
	}}
}

func submitCommand() *cli.Command {
	var s submitSettings
	var v viewer
	var detach bool
	return clientCommand(&cli.Command{Name: "submit", Usage: "run a job on a cluster", ArgsUsage: "JOB [job flags]",
		Description: `JOB is the directory of a job's package, which is built as a plugin, or a plugin that fletch
build has made (FILE.so). Flags before JOB are Fletch's and are listed here; those after it
are the job's. Its inputs and outputs have to be visible to all masters and workers under
the same names.

Progress and errors go to standard error. Ctrl-C leaves the job alone and says how to come
back to it. The exit code is 0 if the job is done, 1 if it failed, 2 if the command line is
wrong, 3 if no master that leads was found, 5 if the job was cancelled, 130 after Ctrl-C.

Example:
  fletch submit ./examples/wordcount --input 'books/*.txt' --output counts`,
	},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			if !c.Args().Present() {
				return usagef("which job? Name its directory, as in fletch submit ./examples/wordcount\n\nfletch submit --help says more")
			}
			id, err := s.submit(ctx, c, cluster)
			switch {
			case err != nil:
				return err
			case detach && v.json:
				return printJSON(c.App.Writer, map[string]string{"id": id})
			case detach:
				_, err := fmt.Fprintln(c.App.Writer, id)
				return err
			case !v.quiet:
				fmt.Fprintf(c.App.ErrWriter, "job %s\n", id)
			}
			err = v.follow(ctx, c, cluster, id)
			if errors.Is(err, errInterrupted) {
				return fmt.Errorf("%w: the job goes on\n\nfletch job wait %s    comes back to it\nfletch job cancel %s  ends it", errInterrupted, id, id)
			}
			return err
		}, s.section(), v.section(), config.Section{Settings: []config.Setting{
			{Name: "detach", Usage: "print the job's ID and do not wait for its end", Value: config.Switch(&detach), FlagOnly: true},
		}})
}

// submit submits the job that the arguments name and returns its ID.
func (s *submitSettings) submit(ctx context.Context, c *cli.Context, cluster *client.Client) (id string, err error) {
	submission, release, err := s.prepare(ctx, c, cluster)
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: nothing was submitted", context.Cause(ctx))
	}
	if err != nil {
		return "", errors.Join(err, release())
	}
	warnings, err := cluster.Submit(ctx, submission)
	for _, w := range warnings {
		fmt.Fprintf(c.App.ErrWriter, "warning: %s\n", printable(w))
	}
	if ctx.Err() != nil && err != nil {
		err = fmt.Errorf("%w: fletch job status %s tells whether the cluster has the job", context.Cause(ctx), submission.ID)
	}
	return submission.ID, errors.Join(err, release())
}

// prepare builds the job's plugin, asks it for the job's graph and sends it to the cluster. What release frees stays as it is
// until then.
func (s *submitSettings) prepare(ctx context.Context, c *cli.Context, cluster *client.Client) (out client.Submission, release func() error, err error) {
	path, release, err := builtPlugin(ctx, c)
	if err != nil {
		return out, release, err
	}
	out = client.Submission{Args: c.Args().Tail(), User: userName(), Partitions: s.partitions, MaxLineBytes: s.maxLine}
	if out.Plugin, _, err = plugins.Sum(path); err != nil { // what describes itself is what is sent
		return out, release, err
	}
	out.Graph, err = executor.Describe(ctx, executor.DescribeConfig{Path: path, SHA256: out.Plugin, Args: out.Args, Stderr: c.App.ErrWriter})
	if err != nil {
		return out, release, describeError(err)
	}
	out.ID = client.NewID(out.Graph.Job)
	return out, release, cluster.PutPlugin(ctx, path, out.Plugin)
}

// describeError says how a job that does not describe itself ends the command.
func describeError(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return exitCode(local.ExitDone)
	}
	if usage, ok := errors.AsType[*executor.UsageError](err); ok {
		return &launch.UsageError{Err: usage.Err}
	}
	if f, ok := errors.AsType[interface {
		error
		Frames() string
	}](err); ok {
		return fmt.Errorf("%w\n%s", err, f.Frames())
	}
	return err
}
