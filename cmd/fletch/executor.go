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

// plugin is how the code of a user's plugin is checked and opened.
var plugin = executor.Plugin{
	Check: func(path, sha256 string) error {
		_, err := plugins.Preflight(path, sha256)
		return err
	},
	Open: open.Open,
}

// pluginJob is a plugin with the job's arguments, as a command line names it: [--sha256 DIGEST] FILE -- ARGUMENTS.
type pluginJob struct {
	sha256 string
	file   string
	args   []string
}

func parsePluginJob(c *cli.Context) (j pluginJob, err error) {
	flags := flag.NewFlagSet(c.Command.HelpName, flag.ContinueOnError)
	flags.StringVar(&j.sha256, "sha256", "", "the `DIGEST` of the plugin")
	if err := flags.Parse(c.Args().Slice()); err != nil {
		return j, usagef("%s: %w", c.Command.HelpName, err)
	}
	if flags.NArg() < 2 || flags.Arg(1) != "--" {
		return j, usagef("%s: want FILE -- ARGUMENTS", c.Command.HelpName)
	}
	j.file, j.args = flags.Arg(0), flags.Args()[2:]
	return j, nil
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
	agent, err := inheritedSocket(3, "agent")
	if err != nil {
		return err
	}
	files, err := inheritedSocket(4, "descriptors")
	if err != nil {
		return errors.Join(err, agent.Close())
	}
	return executor.Serve(context.WithoutCancel(c.Context), executor.Config{Open: open.Open, Agent: agent, Files: files})
}

// describePlugin is the child of executor.Describe.
func describePlugin(c *cli.Context) error {
	j, err := parsePluginJob(c)
	if err != nil {
		return err
	}
	return executor.Answer(inherited(3, "answer"), plugin, j.file, j.sha256, j.args)
}

// runPlugin runs a plugin as fletch run runs a program.
func runPlugin(c *cli.Context) error {
	j, err := parsePluginJob(c)
	if err != nil {
		return err
	}
	local.MainWith(func(args []string) (*engine.Job, error) {
		declare, err := plugin.Load(j.file, j.sha256)
		if err != nil {
			return nil, err
		}
		return declare(args)
	}, j.args)
	return nil // not reached
}
