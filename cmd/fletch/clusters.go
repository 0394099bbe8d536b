package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"fletch/client"
	"fletch/cmd/fletch/cluster"
	"fletch/cmd/fletch/config"
	"fletch/internal/machine"
)

func clusterCommand() *cli.Command {
	return group("cluster", "run a cluster of processes on this machine", clusterUpCommand(), clusterDownCommand(), clusterStatusCommand())
}

// clusterSettings say what a local cluster is.
type clusterSettings struct {
	dir              string
	masters, workers int
	memory           int64
	slots            int
}

func (s *clusterSettings) section() config.Section {
	return config.Section{Name: "cluster", Settings: []config.Setting{
		s.dirSetting(),
		{Name: "masters", Usage: "start `N` masters: 1, 3 or 5 (default: as at the first up, which starts 3)", Value: config.Count(&s.masters, 1, 9)},
		{Name: "workers", Usage: "start `N` workers (default: as many as there have been; the first up starts 4)", Value: config.Count(&s.workers, 1, 256)},
		{Name: "memory", Usage: "let all workers together use `SIZE` (default: half of the memory)", Value: config.Size(&s.memory, machine.LeastMemory, 1<<60)},
		{Name: "slots", Usage: "run up to `N` attempts on a worker (default: 2 for each of its cores)", Value: config.Count(&s.slots, 1, 1<<14)},
	}}
}

func (s *clusterSettings) dirSetting() config.Setting {
	return config.Setting{Name: "dir", Usage: "keep everything in `DIR` (default: fletch/cluster in $XDG_STATE_HOME)", Value: config.Text(&s.dir)}
}

// defaults completes the settings.
func (s *clusterSettings) defaults() (err error) {
	if s.dir == "" {
		s.dir, err = cluster.DefaultDir()
		return err
	}
	s.dir, err = filepath.Abs(s.dir)
	return err
}

// upWait is how long a local cluster may take to serve.
const upWait = 30 * time.Second

func clusterUpCommand() *cli.Command {
	var s clusterSettings
	var out output
	return command(&cli.Command{Name: "up", Usage: "start a cluster in the background",
		Description: `It waits until the cluster serves and prints the addresses. All other commands find it by
themselves, unless it has a --dir of its own. What already runs goes on; after a
down, it continues with its jobs' history. Everything listens on this machine alone.`,
	},
		func(c *cli.Context) error {
			if err := s.defaults(); err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return err
			}
			ctx, stop := interruptible(c)
			defer stop()
			r, err := cluster.Up(ctx, cluster.Config{
				Dir: s.dir, Masters: s.masters, Workers: s.workers, MemoryBytes: s.memory, Cores: runtime.GOMAXPROCS(0), Slots: s.slots,
				Program: program, Wait: upWait,
			})
			if usage, ok := errors.AsType[*cluster.UsageError](err); ok {
				return usagef("%w", usage)
			}
			if err != nil {
				return err
			}
			if out.json {
				return printJSON(c.App.Writer, r)
			}
			return printUp(c, r)
		}, s.section(), out.section())
}

func printUp(c *cli.Context, r *cluster.Result) error {
	var rows [][]string
	for _, p := range r.Masters {
		rows = append(rows, []string{"master", p.ID, p.Address, strconv.Itoa(p.PID)})
	}
	for _, p := range r.Workers {
		rows = append(rows, []string{"worker", p.ID, p.Address, strconv.Itoa(p.PID)})
	}
	if err := printTable(c.App.Writer, "ROLE ID ADDRESS PID", rows); err != nil {
		return err
	}
	if r.Started == 0 {
		fmt.Fprintln(c.App.ErrWriter, "\nthe cluster ran already")
	}
	if dir, err := cluster.DefaultDir(); err != nil || dir != r.Dir {
		fmt.Fprintf(c.App.ErrWriter, "\nother commands find it by its masters:\n  export FLETCH_MASTER=%s\n", strings.Join(r.Addresses(), ","))
	}
	return nil
}

func clusterDownCommand() *cli.Command {
	var s clusterSettings
	var out output
	var remove bool
	return command(&cli.Command{Name: "down", Usage: "stop the cluster that up has started"},
		func(c *cli.Context) error {
			if err := s.defaults(); err != nil {
				return err
			}
			ctx, stop := interruptible(c)
			defer stop()
			e, err := cluster.Down(ctx, s.dir, remove)
			if err != nil {
				return err
			}
			if out.json {
				return printJSON(c.App.Writer, e)
			}
			printDown(c, e)
			return nil
		}, config.Section{Settings: []config.Setting{
			s.dirSetting(),
			{Name: "delete", Usage: "delete all that the cluster keeps: its jobs' history, plugins and logs", Value: config.Switch(&remove), FlagOnly: true},
		}}, out.section())
}

func printDown(c *cli.Context, e *cluster.Ended) {
	w := c.App.ErrWriter
	if len(e.Stopped) == 0 {
		fmt.Fprintf(w, "no cluster runs in %s\n", e.Dir)
	} else {
		fmt.Fprintf(w, "stopped %s\n", strings.Join(e.Stopped, ", "))
	}
	if len(e.Killed) > 0 {
		fmt.Fprintf(w, "killed %s, which did not end by themselves\n", strings.Join(e.Killed, ", "))
	}
	if e.Deleted {
		fmt.Fprintf(w, "deleted what was in %s\n", e.Dir)
	}
}

func clusterStatusCommand() *cli.Command {
	var s clusterSettings
	var to clientSettings
	var out output
	return command(&cli.Command{Name: "status", Usage: "show masters, workers and jobs"},
		func(c *cli.Context) (err error) {
			if err := s.defaults(); err != nil {
				return err
			}
			if len(to.masters) == 0 {
				if to.masters, err = cluster.Running(s.dir); err != nil {
					return err
				}
			}
			cl, err := to.connect()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, cl.Close()) }()
			ctx, stop := interruptible(c)
			defer stop()
			return showStatus(ctx, c, cl, out)
		}, config.Section{Settings: []config.Setting{s.dirSetting()}}, to.section(), out.section())
}

// showStatus prints what a master says, also where none leads.
func showStatus(ctx context.Context, c *cli.Context, cl *client.Client, out output) error {
	s, err := cl.Status(ctx)
	if err != nil && len(s.Masters) == 0 {
		return err
	}
	if out.json {
		return errors.Join(printJSON(c.App.Writer, s), err)
	}
	return errors.Join(printStatus(c, &s), err)
}

func printStatus(c *cli.Context, s *client.Status) error {
	w := c.App.Writer
	fmt.Fprintf(w, "cluster %s\n\n", printable(s.Cluster))
	if err := printMasters(c, s.Masters); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := printWorkers(c, s.Workers); err != nil || len(s.Jobs) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return printJobs(c, s.Jobs)
}

func printMasters(c *cli.Context, masters []client.Master) error {
	var rows [][]string
	for _, m := range masters {
		role := "follows"
		switch {
		case m.Leader:
			role = "leads"
		case !m.Reachable:
			role = "does not answer"
		}
		rows = append(rows, []string{m.ID, m.Address, number(m.PID), role})
	}
	return printTable(c.App.Writer, "MASTER ADDRESS PID ROLE", rows)
}

func printWorkers(c *cli.Context, workers []client.Worker) error {
	var rows [][]string
	for _, w := range workers {
		rows = append(rows, []string{
			w.ID, w.Address, number(w.PID), strconv.Itoa(w.Slots), strconv.Itoa(w.Running),
			fmt.Sprintf("%d MiB", w.MemoryBytes>>20), fmt.Sprintf("%.1f s ago", w.HeardSeconds),
		})
	}
	return printTable(c.App.Writer, "WORKER ADDRESS PID SLOTS RUNNING MEMORY HEARD", rows)
}

// number returns a number, or nothing where it is unknown.
func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}
