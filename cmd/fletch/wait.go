package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"fletch/client"
	"fletch/cmd/fletch/config"
	"fletch/local"
	"fletch/report"
)

// errTimeout ends a wait for a job.
var errTimeout = errors.New("the time is up; the job goes on")

func jobWaitCommand() *cli.Command {
	var limit time.Duration
	var v viewer
	return clientCommand(&cli.Command{Name: "wait", Usage: "show a job's progress until it has ended", ArgsUsage: "ID",
		Description: "The exit code is 0 if the job has succeeded, 1 if it failed, 4 if the time is up and 5 if it was\ncancelled. " + abbreviated,
	},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			if limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeoutCause(ctx, limit, errTimeout)
				defer cancel()
			}
			j, err := findJob(ctx, cluster, c.Args().First())
			if err != nil {
				return err
			}
			return v.follow(ctx, c, cluster, j.ID)
		}, v.section(), config.Section{Settings: []config.Setting{
			{Name: "timeout", Usage: "wait for at most `DURATION`", Value: config.Duration(&limit, time.Millisecond), FlagOnly: true},
		}})
}

// viewer shows a job while it runs and when it has ended.
type viewer struct{ json, quiet bool }

func (v *viewer) section() config.Section {
	return config.Section{Settings: []config.Setting{
		{Name: "json", Usage: "print the result as JSON on standard output", Value: config.Switch(&v.json)},
		{Name: "quiet", Usage: "print neither progress nor a summary", Value: config.Switch(&v.quiet)},
	}}
}

// follow shows a job's progress until it has ended, and then what came of it. Its error is that of the job.
func (v *viewer) follow(ctx context.Context, c *cli.Context, cluster *client.Client, id string) error {
	progress := report.NewProgress(c.App.ErrWriter, displayOf(c.App.ErrWriter))
	j, err := cluster.Watch(ctx, id, func(j report.Job) {
		if !v.quiet {
			progress.Update(time.Now(), j)
		}
	})
	progress.Done()
	if err != nil {
		return err
	}
	if v.json {
		if err := printJSON(c.App.Writer, j); err != nil {
			return err
		}
	}
	switch {
	case j.State == report.Cancelled:
		fmt.Fprintf(c.App.ErrWriter, "error: job %s was cancelled and has published no output\n", id)
		return exitCode(exitCancelled)
	case j.State == report.Failed:
		fmt.Fprintf(c.App.ErrWriter, "error: %s\n", j.Error)
		return exitCode(local.ExitFailed)
	case !v.json && !v.quiet:
		report.Summary(c.App.ErrWriter, j.Job)
	}
	return nil
}

// displayOf finds out what progress is written on.
func displayOf(w io.Writer) report.Display {
	if f, ok := w.(*os.File); ok {
		return report.DisplayOf(f)
	}
	return report.Display{}
}
