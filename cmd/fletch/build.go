package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"fletch/plugins"
	"fletch/plugins/build"
)

func buildCommand() *cli.Command {
	return &cli.Command{
		Name:      "build",
		Usage:     "build a job as a plugin",
		ArgsUsage: "PKG -o FILE.so",
		Description: `PKG is the directory of a job's package, in fletch's own module or in one of its own
(fletch init makes one). The plugin fits the very fletch that built it: fletch run
FILE.so runs it on this machine, fletch submit FILE.so on a cluster.

Example:
  fletch build ./examples/wordcount -o wordcount.so`,
		CustomHelpTemplate: commandHelp,
		HideHelpCommand:    true,
		OnUsageError:       usageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the plugin to `FILE.so`"},
			&cli.BoolFlag{Name: "json", Usage: "print the plugin's size and SHA-256 as JSON", DisableDefaultText: true},
		},
		Action: buildJob,
	}
}

func buildJob(c *cli.Context) error {
	if err := arguments(c, 1); err != nil {
		return err
	}
	pkg, out := c.Args().First(), c.String("output")
	switch {
	case pkg == "":
		return usagef("which job? Name its directory, as in fletch build ./examples/wordcount -o wordcount.so")
	case out == "":
		return usagef("where to? Name the plugin's file, as in fletch build %s -o job.so", pkg)
	case !strings.HasSuffix(out, ".so"):
		return usagef("-o %s: a plugin's name ends in .so", out)
	}
	ctx, stop := interruptible(c)
	defer stop()
	err := build.Build(ctx, pkg, out, c.App.ErrWriter)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil || !c.Bool("json") {
		return err
	}
	sum, size, err := plugins.Sum(out)
	if err != nil {
		return err
	}
	return printJSON(c.App.Writer, struct {
		File   string `json:"file"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
	}{out, size, sum})
}
