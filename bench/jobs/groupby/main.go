// Package main asks a question of db-benchmark's group-by.
package main

import (
	"flag"
	"fmt"

	"fletch/engine"
	"fletch/local"
)

// Job declares the work.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("groupby", flag.ContinueOnError)
	question := flags.Int("question", 1, "number of the question: 1 to 5, or 10")
	input := flags.String("input", "", "CSV file of the table")
	output := flags.String("output", "", "directory for the answer")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	ask, ok := questions[*question]
	if !ok {
		return nil, fmt.Errorf("there is no question %d", *question)
	}
	job := engine.NewJob("groupby")
	ask(job, *input, *output)
	return job, nil
}

func main() { local.Main(Job) }
