package main

import (
	"errors"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"fletch/cmd/fletch/launch"
	"fletch/local"
)

func runCommand() *cli.Command {
	c := &cli.Command{
		Name:      "run",
		Usage:     "run a job on this machine",
		ArgsUsage: "[flags] JOB [job flags]",
		Description: `JOB is the directory of a job's package, which is built, or a plugin that fletch build
made, FILE.so. It runs in a process of its own. Flags before JOB are Fletch's and are
listed here; those after it are the job's: fletch run JOB --help lists them.

Each of Fletch's flags is a variable of the environment, too: FLETCH_MAX_LINE for
--max-line. Progress and errors go to standard error. The exit code is 0 if the job
is done, 1 if it failed, 2 if the command line is wrong, 130 if it was interrupted.

Example:
  fletch run ./examples/wordcount --input 'books/*.txt' --output counts`,
		CustomHelpTemplate: commandHelp,
		HideHelpCommand:    true, // JOB may be called help
		OnUsageError:       usageError,
		Action:             runJob,
	}
	for _, s := range local.Settings {
		if s.Switch {
			c.Flags = append(c.Flags, &cli.BoolFlag{Name: s.Flag, Usage: s.Usage, DisableDefaultText: true})
		} else {
			c.Flags = append(c.Flags, &cli.StringFlag{Name: s.Flag, Usage: s.Usage})
		}
	}
	return c
}

func runJob(c *cli.Context) error {
	if !c.Args().Present() {
		return usagef("which job? Name its directory, as in fletch run ./examples/wordcount\n\nfletch run --help says more")
	}
	config := launch.Config{Job: c.Args().First(), Args: c.Args().Tail(), Stderr: c.App.ErrWriter}
	if err := settings(c, &config); err != nil {
		return err
	}
	code, err := launch.Run(c.Context, config)
	if err == nil && code != local.ExitDone {
		return exitCode(code)
	}
	return err
}

// settings takes each setting from its flag, or else from its variable.
func settings(c *cli.Context, config *launch.Config) error {
	var errs []error
	for _, s := range local.Settings {
		value, source := os.Getenv(s.Env), s.Env+"="
		if c.IsSet(s.Flag) {
			value, source = c.String(s.Flag), "--"+s.Flag+" "
			if s.Switch {
				value = strconv.FormatBool(c.Bool(s.Flag))
			}
			config.Env = append(config.Env, s.Env+"="+value)
		}
		if err := s.Set(&config.Local, value); err != nil {
			errs = append(errs, usagef("%s%s: %w", source, value, err))
		}
	}
	return errors.Join(errs...)
}
