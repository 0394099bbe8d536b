// Package main is a job that sorts lines of text and tells when it has the first of them in order.
package main

import (
	"flag"
	"fmt"
	"os"
	"sync"

	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

// Job sorts the lines of --input.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("sorts", flag.ContinueOnError)
	input := flags.String("input", "", "text files")
	output := flags.String("output", "", "directory for the lines in order")
	started := flags.String("started", "", "file to write the process id to, at the first line in order, to go no further")
	remove := flags.String("remove", "", "directory to remove at the first line that is read")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	job := engine.NewJob("sorts")
	lines := textio.Read(job, *input)
	if *remove != "" {
		var once sync.Once
		lines = engine.Process(lines, func(_ *engine.Task, line string, emit func(string)) (err error) {
			once.Do(func() { err = os.RemoveAll(*remove) })
			emit(line)
			return err
		})
	}
	sorted := engine.SortBy(lines, engine.Asc(func(line string) string { return line }))
	if *started != "" {
		sorted = engine.Process(sorted, func(_ *engine.Task, line string, emit func(string)) error {
			if err := os.WriteFile(*started, fmt.Appendln(nil, os.Getpid()), 0o666); err != nil {
				return err
			}
			select {}
		})
	}
	textio.Write(sorted, *output)
	return job, nil
}

func main() { local.Main(Job) }
