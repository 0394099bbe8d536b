package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"fletch/api"
	"fletch/client"
	"fletch/cmd/fletch/config"
	"fletch/report"
)

func jobCommand() *cli.Command {
	return group("job", "look after the jobs of a cluster",
		jobListCommand(), jobStatusCommand(), jobWaitCommand(), jobCancelCommand(), jobLogsCommand(), jobExplainCommand())
}

func jobListCommand() *cli.Command {
	var out output
	limit := 20
	return clientCommand(&cli.Command{Name: "list", Usage: "list the latest jobs"},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			jobs, total, err := cluster.Jobs(ctx, limit)
			if err != nil {
				return err
			}
			if out.json {
				return printJSON(c.App.Writer, jobs)
			}
			if total == 0 {
				fmt.Fprintln(c.App.ErrWriter, "no jobs yet")
				return nil
			}
			if total > len(jobs) {
				fmt.Fprintf(c.App.ErrWriter, "the latest %d of %d jobs; --limit %d lists all\n", len(jobs), total, total)
			}
			return printJobs(c, jobs)
		}, out.section(), config.Section{Settings: []config.Setting{
			{Name: "limit", Usage: "list at most `N` jobs (default: 20)", Value: config.Count(&limit, 1, knownJobs), FlagOnly: true},
		}})
}

func printJobs(c *cli.Context, jobs []client.Job) error {
	var rows [][]string
	for i := range jobs {
		j := &jobs[i]
		rows = append(rows, []string{
			j.ID, string(j.State), time.Duration(j.Seconds * float64(time.Second)).Round(time.Millisecond).String(),
			j.Submitted.Local().Format(time.DateTime), j.User,
		})
	}
	return printTable(c.App.Writer, "JOB STATE TIME SUBMITTED USER", rows)
}

func jobStatusCommand() *cli.Command {
	var out output
	return clientCommand(&cli.Command{Name: "status", Usage: "show how a job goes", ArgsUsage: "ID", Description: abbreviated},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			j, err := findJob(ctx, cluster, c.Args().First())
			if err != nil {
				return err
			}
			if out.json {
				return printJSON(c.App.Writer, j)
			}
			report.Summary(c.App.Writer, j.Job)
			return nil
		}, out.section())
}

// abbreviated is what all commands with the ID of a job say.
const abbreviated = "ID may be abbreviated, as long as one job's begins like that."

func jobCancelCommand() *cli.Command {
	var out output
	return clientCommand(&cli.Command{Name: "cancel", Usage: "end a job; it publishes no output", ArgsUsage: "ID", Description: abbreviated},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			j, err := findJob(ctx, cluster, c.Args().First())
			if err != nil {
				return err
			}
			if j.State == report.Succeeded || j.State == report.Failed {
				return fmt.Errorf("job %s has %s already", j.ID, j.State)
			}
			if j, err = cluster.Cancel(ctx, j.ID, userName()); err != nil {
				return err
			}
			if out.json {
				return printJSON(c.App.Writer, j)
			}
			_, err = fmt.Fprintf(c.App.ErrWriter, "job %s is cancelled\n", j.ID)
			return err
		}, out.section())
}

func jobLogsCommand() *cli.Command {
	var out output
	var follow bool
	return clientCommand(&cli.Command{
		Name: "logs", Usage: "print what a job's code logged and printed", ArgsUsage: "ID",
		Description: "Each line has the attempt, the level and the text; a worker's lines come after another's.\n" + abbreviated,
	},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			j, err := findJob(ctx, cluster, c.Args().First())
			if err != nil {
				return err
			}
			return cluster.Logs(ctx, j.ID, follow, func(l client.LogLine) error {
				if out.json {
					return json.NewEncoder(c.App.Writer).Encode(l)
				}
				attempt := l.Attempt
				if attempt == "" {
					attempt = l.Worker
				}
				_, err := fmt.Fprintf(c.App.Writer, "%s %s %s\n", attempt, l.Level, printable(l.Text))
				return err
			})
		}, out.section(), config.Section{Settings: []config.Setting{
			{Name: "follow", Usage: "go on until the job has ended", Value: config.Switch(&follow), FlagOnly: true},
		}})
}

func jobExplainCommand() *cli.Command {
	var out output
	return clientCommand(&cli.Command{Name: "explain", Usage: "print a job's plan", ArgsUsage: "ID", Description: abbreviated},
		func(ctx context.Context, c *cli.Context, cluster *client.Client) error {
			j, err := findJob(ctx, cluster, c.Args().First())
			if err != nil {
				return err
			}
			text, err := cluster.Explain(ctx, j.ID)
			if err != nil {
				return err
			}
			if out.json {
				return printJSON(c.App.Writer, map[string]string{"id": j.ID, "plan": text})
			}
			_, err = fmt.Fprint(c.App.Writer, text)
			return err
		}, out.section())
}

// knownJobs is how many jobs are looked through for one that is not there by its whole ID: all that a cluster remembers.
const knownJobs = 10_000

// findJob returns the job with an ID, or the only one whose ID begins so.
func findJob(ctx context.Context, cluster *client.Client, id string) (client.Job, error) {
	j, err := cluster.Job(ctx, id)
	if _, unknown := errors.AsType[*api.NotFound](err); !unknown {
		return j, err
	}
	jobs, _, err := cluster.Jobs(ctx, knownJobs)
	if err != nil {
		return client.Job{}, err
	}
	full, err := resolve(id, jobs)
	if err != nil {
		return client.Job{}, err
	}
	return cluster.Job(ctx, full)
}
