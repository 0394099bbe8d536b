// Package main is a job whose function goes wrong at a record, in the way that --do names.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"strings"

	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

// Job copies lines; the one that holds "here" makes it go wrong.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("faulty", flag.ContinueOnError)
	input := flags.String("input", "", "text files")
	output := flags.String("output", "", "directory for the copy")
	do := flags.String("do", "", "what to do at the line")
	started := flags.String("started", "", "file to write the process id to, at the line")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	job := engine.NewJob("faulty")
	lines := textio.Read(job, *input)
	copies := engine.Process(lines, func(_ *engine.Task, line string, emit func(string)) error {
		emit(line)
		if !strings.Contains(line, "here") {
			return nil
		}
		if *started != "" {
			if err := os.WriteFile(*started, fmt.Appendln(nil, os.Getpid()), 0o666); err != nil {
				return err
			}
		}
		return act(*do, line, emit)
	})
	textio.Write(copies, *output)
	return job, nil
}

func act(what, line string, emit func(string)) error {
	switch what {
	case "error":
		return errors.New("I do not like this line")
	case "panic":
		panic("I do not like this line")
	case "index":
		_ = line[len(line)]
	case "goexit":
		runtime.Goexit()
	case "exit":
		os.Exit(3)
	case "exit0":
		os.Exit(0)
	case "fatal":
		log.Fatal("I do not like this line")
	case "goroutine":
		go func() { panic("in a goroutine of its own") }()
		select {}
	case "race":
		race()
	case "deep":
		deep(0)
	case "block":
		select {}
	case "spin":
		for {
		}
	case "endless":
		for {
			emit(line)
		}
	default:
		return fmt.Errorf("there is no way %q to go wrong", what)
	}
	return nil
}

// race writes a map from several goroutines, which the runtime finds out and does not forgive.
func race() {
	m := map[int]int{}
	for range 4 {
		go func() {
			for i := 0; ; i++ {
				m[i%1024] = i
			}
		}()
	}
	select {}
}

func deep(n int) int { return deep(n+1) + 1 }

func main() { local.Main(Job) }
