package main

import (
	"flag"
	"fmt"
	"strings"

	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

// generate declares a job that makes records. Each follows from the seed and its number alone, so it is the same however
// the work is shared out.
func generate(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("terasort gen", flag.ContinueOnError)
	records := flags.Int64("records", 1_000_000, "how many records of 100 bytes to make")
	seed := flags.Uint64("seed", 1, "makes other keys of another number")
	output := flags.String("output", "", "directory for the records")
	if err := local.Parse(flags, args); err != nil {
		return nil, err
	}
	job := engine.NewJob("terasort-gen")
	numbers := engine.Range(job, 0, *records)
	textio.Write(engine.Map(numbers, func(n int64) string { return record(*seed, n) }), *output)
	return job, nil
}

// record returns a line that has 100 bytes with its newline: a random key of ten printable characters, the record's number
// in 32 digits, and 53 letters.
func record(seed uint64, number int64) string {
	line := make([]byte, 0, 99)
	for half := range uint64(2) {
		r := random(seed, 2*uint64(number)+half)
		for range 5 {
			line = append(line, ' '+byte(r%95))
			r /= 95
		}
	}
	line = fmt.Appendf(line, "  %032d  ", number)
	return string(append(line, letters[number%26:][:53]...))
}

var letters = strings.Repeat("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 4)

// random returns the nth number of the sequence that a seed begins: SplitMix64 (Steele, Lea and Flood, Fast Splittable
// Pseudorandom Number Generators, 2014), whose state is a counter, so that any number can be had without those before it.
func random(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
