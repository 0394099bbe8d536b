// Package main sums up numbers by keys that are far too many for a small memory. It makes its input itself, so that
// what is measured is the shuffle and the aggregation.
package main

import (
	"flag"

	"fletch/engine"
	"fletch/format/csvio"
	"fletch/local"
)

// Job declares the work.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("sums", flag.ContinueOnError)
	rows := flags.Int64("rows", 1e8, "how many numbers to sum up")
	keys := flags.Int64("keys", 2e7, "how many distinct keys they have")
	output := flags.String("output", "", "directory for the sums")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	job := engine.NewJob("sums")
	numbers := engine.Range(job, 0, *rows)
	keyed := engine.KeyBy(numbers, func(i int64) int64 { return key(i % *keys) })
	csvio.Write(engine.Sum(keyed), *output)
	return job, nil
}

// key scatters the numbers below a prime of 32 bits: different ones stay different.
func key(i int64) int64 { return i * 2654435761 % 4294967291 }

func main() { local.Main(Job) }
