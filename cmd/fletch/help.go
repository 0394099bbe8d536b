package main

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
