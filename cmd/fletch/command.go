package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"unicode"

	"github.com/urfave/cli/v2"

	"fletch/cmd/fletch/config"
)

// errInterrupted means that a signal ended the command.
var errInterrupted = errors.New("interrupted")

// sections returns the sections that a configuration file may have.
func sections() []config.Section {
	return []config.Section{
		new(clientSettings).section(), new(submitSettings).section(), new(clusterSettings).section(),
		new(masterSettings).section(), new(workerSettings).section(),
	}
}

// output is how a command prints its result.
type output struct{ json bool }

func (o *output) section() config.Section {
	return config.Section{Settings: []config.Setting{{Name: "json", Usage: "print the result as JSON", Value: config.Switch(&o.json)}}}
}

// command completes a command whose settings are these: flags, variables and the configuration file are read before do is
// called. It takes as many arguments as its ArgsUsage names.
func command(c *cli.Command, do func(c *cli.Context) error, from ...config.Section) *cli.Command {
	for _, s := range from {
		c.Flags = append(c.Flags, s.Flags()...)
	}
	c.Flags = append(c.Flags, &cli.StringFlag{Name: config.FileFlag, Usage: "read settings from `FILE` (.toml or .yaml) [$FLETCH_CONFIG]"})
	c.CustomHelpTemplate = commandHelp
	c.HideHelpCommand = true // an argument may be called help
	c.OnUsageError = usageError
	takes := strings.Fields(c.ArgsUsage)
	c.ArgsUsage = strings.TrimSpace("[flags] " + c.ArgsUsage)
	c.Action = func(ctx *cli.Context) error {
		if len(c.Subcommands) > 0 && ctx.Args().Present() {
			return unknownCommand(ctx.Command.HelpName, c.Subcommands, ctx.Args().First())
		}
		if !passesOn(c) {
			if err := arguments(ctx, len(takes)); err != nil {
				return err
			}
			if ctx.NArg() < len(takes) {
				return usagef("%s: %s is missing\n\n%s --help shows how to use it", ctx.Command.HelpName, takes[ctx.NArg()], ctx.Command.HelpName)
			}
		}
		if err := config.Read(ctx, sections(), from...); err != nil {
			return err
		}
		return do(ctx)
	}
	return c
}

// group makes a command of others.
func group(name, usage string, commands ...*cli.Command) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, Subcommands: commands, CustomHelpTemplate: groupHelp, HideHelpCommand: true, OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknownCommand(c.Command.HelpName, commands, c.Args().First())
			}
			return cli.ShowSubcommandHelp(c)
		},
	}
}

// interruptible returns the command's context, which ends with a request to end the process.
func interruptible(c *cli.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(c.Context)
	signals := make(chan os.Signal, 1) // closed by no one
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			cancel(errInterrupted)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// printJSON prints a value as JSON for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printTable prints rows below titles, for people.
func printTable(w io.Writer, titles string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	lines := append([][]string{strings.Split(titles, " ")}, rows...)
	for _, cells := range lines {
		for i, cell := range cells {
			cells[i] = printable(cell)
		}
		fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return t.Flush()
}

// printable replaces what would move the cursor or break a table: names come from users.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
}
