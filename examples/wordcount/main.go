// Package main counts how often each word occurs.
package main

import (
	"flag"
	"strings"

	"fletch/engine"
	"fletch/format/csvio"
	"fletch/format/textio"
	"fletch/local"
)

// Job declares the work; the engine calls it, with the job's own arguments, wherever it needs the graph.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("wordcount", flag.ContinueOnError)
	input := flags.String("input", "", "text files to count (a path, a glob or a URL)")
	output := flags.String("output", "", "directory for the counts")
	if err := local.Parse(flags, args); err != nil {
		return nil, err
	}
	job := engine.NewJob("wordcount")
	lines := textio.Read(job, *input)
	words := engine.FlatMap(lines, strings.FieldsSeq)
	csvio.Write(engine.Count(words), *output)
	return job, nil
}

func main() { local.Main(Job) }
