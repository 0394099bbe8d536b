// Package main is a job that is declared in a wrong way, which --do names.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"fletch/engine"
	"fletch/format/csvio"
	"fletch/format/textio"
	"fletch/local"
)

type measurement struct {
	Name   string
	Values map[string]float64
}

type node struct {
	Name string
	Next *node
}

// Job declares a job, but for what --do asks for.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("mistaken", flag.ContinueOnError)
	input := flags.String("input", "", "text files")
	output := flags.String("output", "", "directory for the result")
	do := flags.String("do", "", "what to do wrong")
	started := flags.String("started", "", "file to write the process id to, before that")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	job := engine.NewJob("mistaken")
	lines := textio.Read(job, *input)
	if *started != "" {
		if err := os.WriteFile(*started, fmt.Appendln(nil, os.Getpid()), 0o666); err != nil {
			return nil, err
		}
	}
	switch *do {
	case "error":
		return nil, errors.New("this job needs --colour")
	case "panic":
		var none []string
		_ = none[3]
	case "nothing":
		return nil, nil
	case "exit":
		os.Exit(4)
	case "spin":
		for {
		}
	case "type":
		measurements := engine.Map(lines, func(line string) measurement { return measurement{Name: line} })
		csvio.Write(measurements, *output)
		return job, nil
	case "key":
		nodes := engine.KeyBy(lines, func(line string) *node { return &node{Name: line} })
		csvio.Write(engine.Sum(engine.Map(nodes, func(kv engine.KV[*node, string]) engine.KV[*node, int64] {
			return engine.Pair(kv.Key, int64(1))
		})), *output)
		return job, nil
	case "nosink":
		return job, nil
	}
	textio.Write(lines, *output)
	return job, nil
}

func main() { local.Main(Job) }
