package main

import (
	"strings"

	"github.com/urfave/cli/v2"
)

// The help texts are templates of urfave/cli, which aligns what tabs separate.
const (
	appHelp = `Fletch runs MapReduce-style jobs that are ordinary typed Go.

Usage: fletch COMMAND [flags]

Commands:
{{range .VisibleCommands}}  {{join .Names ", "}}{{"\t"}}{{.Usage}}
{{end}}
Start here:
  fletch run ./examples/wordcount --input FILE --output DIR

On a cluster of processes on this machine:
  fletch cluster up
  fletch submit ./examples/wordcount --input FILE --output DIR
  fletch cluster down

fletch COMMAND --help says more about a command.
`

	commandHelp = `{{.HelpName}}: {{.Usage}}

Usage: {{.HelpName}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}
{{if .Description}}
{{.Description}}
{{end}}
{{if .VisibleCommands}}Commands:
{{range .VisibleCommands}}  {{join .Names ", "}}{{"\t"}}{{.Usage}}
{{end}}
{{end}}Flags:
{{range .VisibleFlags}}  {{.}}
{{end}}`

	groupHelp = `{{.HelpName}}: {{.Usage}}

Usage: {{.HelpName}} COMMAND [flags]

Commands:
{{range .VisibleCommands}}  {{join .Names ", "}}{{"\t"}}{{.Usage}}
{{end}}
{{.HelpName}} COMMAND --help says more about a command.
`
)

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:               "help",
		Usage:              "show the commands, or what one of them does",
		ArgsUsage:          "[COMMAND...]",
		CustomHelpTemplate: commandHelp,
		HideHelpCommand:    true,
		OnUsageError:       usageError,
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowAppHelp(c)
			}
			words, commands := []string{c.App.Name}, c.App.Commands
			for _, name := range c.Args().Slice() {
				command := named(commands, name)
				if command == nil {
					return unknownCommand(strings.Join(words, " "), commands, name)
				}
				words, commands = append(words, name), command.Subcommands
			}
			return c.App.RunContext(c.Context, append(words, "--help"))
		},
	}
}
