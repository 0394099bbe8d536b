package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/urfave/cli/v2"

	"fletch/engine"
	"fletch/local"
	"fletch/plugins"
	"fletch/plugins/open"
	"fletch/worker/executor"
)

// executorCommand is what Fletch starts itself with: processes that run the code of a plugin.
func executorCommand() *cli.Command {
	return &cli.Command{
		Name:   "executor",
		Usage:  "run the code of a plugin (Fletch starts it by itself)",
		Hidden: true,
		Subcommands: []*cli.Command{
			{Name: "serve", SkipFlagParsing: true, HideHelp: true, Action: serveAttempts},
			{Name: "describe", SkipFlagParsing: true, HideHelp: true, Action: describePlugin},
			{Name: "run", SkipFlagParsing: true, HideHelp: true, Action: runPlugin},
		},
	}
}

// plugin is how the code of plugins is checked and opened everywhere.
var plugin = executor.Plugin{
	Check: func(path, sha256 string) error {
		_, err := plugins.Preflight(path, sha256)
		return err
	},
	Open: open.Open,
}

// childFlags parses the arguments of a child: the flags, FILE, --, the job's arguments.
type childFlags struct {
	parent int
	sha256 string
	file   string
	args   []string
}

func parseChild(c *cli.Context) (f childFlags, err error) {
	flags := flag.NewFlagSet(c.Command.HelpName, flag.ContinueOnError)
	flags.IntVar(&f.parent, "parent", 0, "end with the process `PID`, which has started this one")
	flags.StringVar(&f.sha256, "sha256", "", "the `DIGEST` of the plugin")
	if err := flags.Parse(c.Args().Slice()); err != nil {
		return f, usagef("%s: %w", c.Command.HelpName, err)
	}
	if f.parent != 0 {
		if err := executor.Bind(f.parent); err != nil {
			return f, err
		}
	}
	f.file = flags.Arg(0)
	if rest := flags.Args(); len(rest) > 1 && rest[1] == "--" {
		f.args = rest[2:]
	} else if len(rest) > 1 {
		return f, usagef("%s: want FILE -- ARGUMENTS", c.Command.HelpName)
	}
	return f, nil
}

// inherited returns a descriptor that the parent passes; processes that the job's code starts do not get it.
func inherited(fd int, name string) *os.File {
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), name)
}

// inheritedSocket returns a socket that the parent passes.
func inheritedSocket(fd int, name string) (*net.UnixConn, error) {
	f := inherited(fd, name)
	conn, err := net.FileConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("descriptor %d is not the socket that an executor is started with: %w", fd, err)
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("descriptor %d is a socket of another kind", fd), conn.Close())
	}
	return socket, nil
}

// serveAttempts is a worker's child: see package executor.
func serveAttempts(c *cli.Context) error {
	if _, err := parseChild(c); err != nil {
		return err
	}
	agent, err := inheritedSocket(3, "agent")
	if err != nil {
		return err
	}
	files, err := inheritedSocket(4, "descriptors")
	if err != nil {
		return errors.Join(err, agent.Close())
	}
	return executor.Serve(context.WithoutCancel(c.Context), executor.Config{Plugin: plugin, Agent: agent, Files: files})
}

// describePlugin is the child of executor.Describe.
func describePlugin(c *cli.Context) error {
	f, err := parseChild(c)
	if err != nil {
		return err
	}
	return executor.Answer(inherited(3, "answer"), plugin, f.file, f.sha256, f.args)
}

// runPlugin runs a plugin as fletch run runs a program.
func runPlugin(c *cli.Context) error {
	f, err := parseChild(c)
	if err != nil {
		return err
	}
	local.MainWith(func(args []string) (*engine.Job, error) {
		declare, err := plugin.Load(f.file, f.sha256)
		if err != nil {
			return nil, err
		}
		return declare(args)
	}, f.args)
	return nil // not reached
}
