// Command fletch is the command line of Fletch: flags go into a Config, the Config to the package that does the work.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"fletch/client"
	"fletch/cmd/fletch/config"
	"fletch/cmd/fletch/launch"
	"fletch/local"
	"fletch/plugins/source"
)

func main() { os.Exit(run(os.Args, os.Stdout, os.Stderr)) }

// exitCode is the end of a command that has said all there is to say.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// The exit codes beside those of package local.
const (
	exitNoLeader  = 3 // no master that leads was reachable
	exitTimeout   = 4 // the wait for a job has timed out
	exitCancelled = 5 // the job was cancelled
)

// run runs a command line and returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	a := app(stdout, stderr)
	err := a.Run(flagsFirst(a, args))
	if err == nil {
		return local.ExitDone
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	return codeOf(err)
}

// codeOf returns the exit code that an error asks for.
func codeOf(err error) int {
	var usage *launch.UsageError
	var setting *config.Error
	var noLeader *client.NoLeaderError
	var mistake *source.Mistake
	switch {
	case errors.Is(err, launch.ErrInterrupted), errors.Is(err, errInterrupted):
		return local.ExitInterrupted
	case errors.As(err, &usage), errors.As(err, &setting), errors.As(err, &mistake):
		return local.ExitUsage
	case errors.As(err, &noLeader), errors.Is(err, errNoCluster):
		return exitNoLeader
	case errors.Is(err, errTimeout):
		return exitTimeout
	}
	return local.ExitFailed
}

func app(stdout, stderr io.Writer) *cli.App {
	cli.VersionPrinter = func(c *cli.Context) { fmt.Fprintln(c.App.Writer, c.App.Version) }
	return &cli.App{
		Name:                  "fletch",
		Version:               thisVersion().String(),
		CustomAppHelpTemplate: appHelp,
		Writer:                stdout,
		ErrWriter:             stderr,
		Commands: []*cli.Command{
			runCommand(), buildCommand(), initCommand(), submitCommand(), jobCommand(), clusterCommand(), masterCommand(), workerCommand(), nodeCommand(),
			doctorCommand(), versionCommand(), completionCommand(), helpCommand(), executorCommand(),
		},
		Flags:                     []cli.Flag{cli.HelpFlag},
		Suggest:                   true,
		EnableBashCompletion:      true,
		DisableSliceFlagSeparator: true,
		OnUsageError:              usageError,
		ExitErrHandler:            func(*cli.Context, error) {}, // run does it
		Action:                    noCommand,
	}
}

// noCommand answers what names no command.
func noCommand(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	return unknownCommand(c.App.Name, c.App.Commands, c.Args().First())
}

// unknownCommand answers a name that none of a group's commands has.
func unknownCommand(group string, commands []*cli.Command, name string) error {
	has, lists := group+" has", group+" --help"
	if group == "fletch" {
		has, lists = "there is", "fletch help"
	}
	return usagef("%s no command %q%s\n\n%s lists them", has, name, suggestion(cli.SuggestCommand(commands, name)), lists)
}

// usageError answers wrong flags.
func usageError(c *cli.Context, err error, _ bool) error {
	help := strings.TrimSpace(c.Command.HelpName) + " --help"
	hint := ""
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		err = fmt.Errorf("there is no flag --%s", name)
		hint = cli.SuggestFlag(c.Command.Flags, name, false)
		if hint != "" {
			hint = fmt.Sprintf("Did you mean %q?", hint)
		}
	}
	return usagef("%w%s\n\n%s lists the flags", err, suggestion(hint), help)
}

// suggestion continues a message with a hint that is a sentence of its own, or nothing.
func suggestion(hint string) string {
	if hint == "" || strings.Contains(hint, `""`) { // urfave/cli knows nothing similar
		return ""
	}
	return "; d" + strings.TrimPrefix(hint, "D")
}

// arguments refuses more arguments than a command takes.
func arguments(c *cli.Context, most int) error {
	if c.NArg() > most {
		return usagef("%s: %q is one argument too many\n\n%s --help shows how to use it", c.Command.HelpName, c.Args().Get(most), c.Command.HelpName)
	}
	return nil
}

func usagef(format string, args ...any) error {
	return &launch.UsageError{Err: fmt.Errorf(format, args...)}
}
