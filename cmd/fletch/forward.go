package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves flags before the arguments of the command, as urfave/cli takes what stands behind the first argument for
// arguments. They stay where they are behind the name of a command that gives them to a job (see passesOn), and behind
// "--".
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) == 0 || args[len(args)-1] == "--generate-bash-completion" {
		return args
	}
	names, flags, rest := args[:1:1], []string(nil), args[1:]
	commands, takers := app.Commands, flagsOf(app.Flags, app.Commands)
	var arguments []string
	for i := 0; i < len(rest); i++ {
		word := rest[i]
		if word == "--" {
			arguments = append(arguments, rest[i:]...)
			break
		}
		if len(word) > 1 && word[0] == '-' {
			flags = append(flags, word)
			if takesValue(takers, word) && i+1 < len(rest) {
				i++
				flags = append(flags, rest[i])
			}
			continue
		}
		command := named(commands, word)
		if command == nil || len(arguments) > 0 {
			arguments = append(arguments, word)
			continue
		}
		names = append(names, word)
		commands, takers = command.Subcommands, flagsOf(command.Flags, command.Subcommands)
		if passesOn(command) {
			arguments = append(arguments, rest[i+1:]...)
			break
		}
	}
	return slices.Concat(names, flags, arguments)
}

// passesOn tells whether a command's arguments hold flags of somebody else: of a job, or of its own.
func passesOn(c *cli.Command) bool {
	return c.SkipFlagParsing || c.Name == "run" || c.Name == "submit"
}

func named(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// flagsOf returns the flags that may stand before the name of a subcommand: its own, too.
func flagsOf(flags []cli.Flag, commands []*cli.Command) []cli.Flag {
	all := slices.Clone(flags)
	for _, c := range commands {
		all = append(all, flagsOf(c.Flags, c.Subcommands)...)
	}
	return all
}

// takesValue tells whether the word behind a flag is its value.
func takesValue(flags []cli.Flag, word string) bool {
	name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if hasValue {
		return false
	}
	for _, f := range flags {
		if _, isSwitch := f.(*cli.BoolFlag); !isSwitch && slices.Contains(f.Names(), name) {
			return true
		}
	}
	return false
}
