// Package main is a job whose main function does not run it, as is enough for a plugin.
package main

import (
	"fletch/engine"
	"fletch/format/textio"
)

// Job copies its arguments.
func Job(args []string) (*engine.Job, error) {
	job := engine.NewJob("nomain")
	textio.Write(engine.FromSlice(job, args), "copy")
	return job, nil
}

func main() {}
