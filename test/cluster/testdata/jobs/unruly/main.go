// Package main is a job that goes on until it is let go, or goes wrong, as its flags say.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"fletch/engine"
	"fletch/format/csvio"
	"fletch/format/textio"
	"fletch/local"
)

// The numbers are cut into this many splits of a MiB.
const (
	splits = 8
	each   = 1 << 17
)

// Job counts the last digits of numbers.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("unruly", flag.ContinueOnError)
	name := flags.String("name", "unruly", "the job's name")
	input := flags.String("input", "", "text files to copy in place of all that")
	output := flags.String("output", "", "directory for the counts")
	wait := flags.String("wait", "", "file that the second half of the splits waits for")
	do := flags.String("do", "", "what to do at a number of the last split")
	here := flags.String("here", "", "what to do where the job is submitted, in this function")
	there := flags.String("there", "", "what to do on a worker, in this function")
	slow := flags.Duration("slow", 0, "how long each of the ten digits takes at last")
	sources := flags.Int("sources", 1, "how many sources there are")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	job := engine.NewJob(*name)
	numbers := engine.Range(job, 0, splits*each)
	for range *sources - 1 {
		numbers = engine.Union(numbers, engine.Range(job, 0, 1<<40))
	}
	step := *there
	if os.Getenv("UNRULY_SUBMITTER") != "" {
		step = *here
	}
	switch step {
	case "differ":
		numbers = engine.Filter(numbers, func(int64) bool { return true })
	case "vanish":
		if err := os.Remove(*input); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	default:
		if err := act(step); err != nil {
			return nil, err
		}
	}
	if *input != "" {
		job = engine.NewJob(*name)
		textio.Write(textio.Read(job, *input), *output)
		return job, nil
	}
	digits := engine.Process(numbers, func(t *engine.Task, n int64, emit func(int64)) error {
		if n%each == 0 {
			t.Logger().Info("split", "number", n/each)
		}
		if *do != "" && n == splits*each-1 {
			if err := act(*do); err != nil {
				return err
			}
		}
		emit(n % 10)
		return pause(t, *wait, n)
	})
	counts := engine.Count(digits)
	if *slow > 0 {
		counts = engine.Process(counts, func(t *engine.Task, kv engine.KV[int64, int64], emit func(engine.KV[int64, int64])) error {
			emit(kv)
			return t.Do(func() error { time.Sleep(*slow); return nil })
		})
	}
	csvio.Write(counts, *output)
	return job, nil
}

// free is set once the file is there.
var free atomic.Bool

// pause waits a little at each number of the second half of the splits, as long as the file is not there.
func pause(t *engine.Task, file string, n int64) error {
	if file == "" || n < splits/2*each || free.Load() {
		return nil
	}
	return t.Do(func() error {
		_, err := os.Stat(file)
		if errors.Is(err, os.ErrNotExist) {
			time.Sleep(2 * time.Millisecond)
			return nil
		}
		free.Store(err == nil)
		return err
	})
}

// act goes wrong.
func act(what string) error {
	switch what {
	case "":
	case "error":
		return errors.New("I do not like this")
	case "panic":
		panic("I do not like this")
	case "exit":
		fmt.Println("last words")
		os.Exit(3)
	case "deep":
		deep(0)
	case "race":
		race()
	case "allocate":
		allocate()
	case "block":
		select {}
	case "spin":
		for {
		}
	default:
		return fmt.Errorf("there is no way %q to go wrong", what)
	}
	return nil
}

func deep(n int) int { return deep(n+1) + 1 }

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

func allocate() {
	var all [][]byte
	for {
		block := make([]byte, 1<<20)
		for i := range block {
			block[i] = byte(i)
		}
		all = append(all, block)
		runtime.KeepAlive(all)
	}
}

func main() { local.Main(Job) }
