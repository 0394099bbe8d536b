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
		{Name: "partitions", Usage: "make `N` hash partitions (default: by the input's size)", Value: config.Count(&s.partitions, 1, 100_000)},
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
			if err != nil {
				return err
			}
			if detach {
				_, err := fmt.Fprintln(c.App.Writer, id)
				return err
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
	path, release, err := builtPlugin(ctx, c)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	if _, err := plugins.Preflight(path, ""); err != nil {
		return "", err
	}
	args := c.Args().Tail()
	graph, err := executor.Describe(ctx, executor.DescribeConfig{Path: path, Args: args, Stderr: c.App.ErrWriter})
	if err != nil {
		return "", describeError(err)
	}
	sha, err := cluster.PutPlugin(ctx, path)
	if err != nil {
		return "", err
	}
	id = client.NewID(graph.Job)
	warnings, err := cluster.Submit(ctx, client.Submission{
		ID: id, Graph: graph, Plugin: sha, Args: args, User: userName(), Partitions: s.partitions, MaxLineBytes: s.maxLine,
	})
	for _, w := range warnings {
		fmt.Fprintf(c.App.ErrWriter, "warning: %s\n", printable(w))
	}
	if errors.Is(err, errInterrupted) {
		err = fmt.Errorf("%w: fletch job status %s tells whether the cluster has the job", errInterrupted, id)
	}
	return id, err
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
