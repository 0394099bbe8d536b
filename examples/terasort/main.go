// Package main is TeraSort: it sorts lines of text by their first ten bytes, makes lines to sort, and checks that lines are
// sorted.
package main

import (
	"flag"
	"fmt"

	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

// Job declares the sort, or what the first argument names instead: gen or validate.
func Job(args []string) (*engine.Job, error) {
	if len(args) > 0 && args[0] == "gen" {
		return generate(args[1:])
	}
	if len(args) > 0 && args[0] == "validate" {
		return validate(args[1:])
	}
	flags := flag.NewFlagSet("terasort", flag.ContinueOnError)
	flags.Usage = func() { usage(flags) }
	input := flags.String("input", "", "text files to sort (a path, a directory, a glob or a URL)")
	output := flags.String("output", "", "directory for the sorted lines")
	if err := local.Parse(flags, args); err != nil {
		return nil, err
	}
	job := engine.NewJob("terasort")
	textio.Write(engine.SortBy(textio.Read(job, *input), engine.Asc(key)), *output)
	return job, nil
}

// key returns what a line is sorted by. Lines of one key keep the order of the input.
func key(line string) string { return line[:min(len(line), 10)] }

// usage says what there is besides the sort.
func usage(flags *flag.FlagSet) {
	fmt.Fprint(flags.Output(), `Usage of terasort:
  terasort           sorts lines of text by their first ten bytes
  terasort gen       makes lines to sort
  terasort validate  checks that lines are sorted, counts them and sums them up

gen and validate have flags of their own, which gen --help and validate --help list. Those of the sort:
`)
	flags.PrintDefaults()
}

func main() { local.Main(Job) }
