package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"fletch/cmd/fletch/scaffold"
)

func initCommand() *cli.Command {
	return &cli.Command{
		Name:      "init",
		Usage:     "make a directory with a new job",
		ArgsUsage: "[flags] DIR",
		Description: `DIR becomes a Go module with a job, its test, data to try it on and a README. It
needs no network: the module takes Fletch from where this fletch was built.

Example:
  fletch init ../traffic
  cd ../traffic && go test ./... && fletch run . --input data --output /tmp/traffic`,
		CustomHelpTemplate: commandHelp,
		HideHelpCommand:    true,
		OnUsageError:       usageError,
		Flags:              []cli.Flag{&cli.StringFlag{Name: "module", Usage: "call the module `NAME` (default: as the directory is called)"}},
		Action:             initJob,
	}
}

func initJob(c *cli.Context) error {
	if err := arguments(c, 1); err != nil {
		return err
	}
	dir := c.Args().First()
	if dir == "" {
		return usagef("where? Name a new directory, as in fletch init ../myjob")
	}
	name, err := scaffold.Job(c.Context, dir, c.String("module"))
	if err == nil {
		fmt.Fprintf(c.App.ErrWriter, "%s holds a job now; its README.md says how to go on:\n\n"+
			"  cd %s\n  go test ./...\n  fletch run . --input data --output /tmp/%s\n", dir, dir, name)
	}
	return err
}
