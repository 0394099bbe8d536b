package main

import "github.com/urfave/cli/v2"

// The help texts are templates of urfave/cli, which aligns what tabs separate.
const (
	appHelp = `Fletch runs MapReduce-style jobs that are ordinary typed Go.

Usage: fletch COMMAND [flags]

Commands:
{{range .VisibleCommands}}  {{join .Names ", "}}{{"\t"}}{{.Usage}}
{{end}}
Start here:
  fletch run ./examples/wordcount --input FILE --output DIR

fletch COMMAND --help says more about a command.
`

	commandHelp = `{{.HelpName}}: {{.Usage}}

Usage: {{.HelpName}}{{if .ArgsUsage}} {{.ArgsUsage}}{{end}}
{{if .Description}}
{{.Description}}
{{end}}
Flags:
{{range .VisibleFlags}}  {{.}}
{{end}}`
)

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:               "help",
		Usage:              "show the commands, or what one of them does",
		ArgsUsage:          "[COMMAND]",
		CustomHelpTemplate: commandHelp,
		HideHelpCommand:    true,
		OnUsageError:       usageError,
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			if err := arguments(c, 1); err != nil {
				return err
			}
			if name == "" {
				return cli.ShowAppHelp(c)
			}
			if c.App.Command(name) == nil {
				return unknownCommand(c, name)
			}
			return cli.ShowCommandHelp(c, name)
		},
	}
}
