// Command data makes an input of the benchmarks where it is missing, and prints the path of its file:
//
//	data text       text whose words follow Zipf's law
//	data lines      lines of 100 bytes to sort
//	data groupby    db-benchmark's table to group
//	data x          db-benchmark's large table to join
//	data medium     the one to join it with
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"os"

	"fletch/bench/chunks"
	"fletch/bench/dbbench"
	"fletch/bench/tera"
	"fletch/bench/zipf"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("data: which one is missing: text, lines, groupby, x or medium")
	}
	path, err := makeFile(os.Args[1], os.Args[2:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(path)
}

// makeFile makes the file of a kind that the flags describe.
func makeFile(kind string, args []string) (path string, err error) {
	flags := flag.NewFlagSet("data "+kind, flag.ContinueOnError)
	dir := flags.String("dir", "data", "directory that keeps the file")
	seed := flags.Uint64("seed", 1, "seed of the draws")
	file, err := describe(kind, flags, seed)
	if err != nil {
		return "", err
	}
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	described, err := file()
	if err != nil {
		return "", err
	}
	return described.Make(*dir)
}

// describe adds the flags of a kind and returns what to call when they are parsed.
func describe(kind string, flags *flag.FlagSet, seed *uint64) (func() (chunks.File, error), error) {
	switch kind {
	case "text":
		bytes := flags.Int64("bytes", 1e9, "size of the text")
		words := flags.Int("words", 1e6, "distinct words to draw from")
		return func() (chunks.File, error) {
			return zipf.File(zipf.Config{Bytes: *bytes, Words: *words, Seed: *seed})
		}, nil
	case "lines":
		lines := flags.Int64("lines", 20e6, "number of lines")
		return func() (chunks.File, error) { return tera.File(tera.Config{Lines: *lines, Seed: *seed}) }, nil
	case "groupby":
		rows := flags.Int64("rows", 10e6, "number of rows")
		groups := flags.Int64("groups", 100, "number of groups of id1, id2, id4 and id5")
		return func() (chunks.File, error) {
			return dbbench.GroupBy{Rows: *rows, Groups: *groups, Seed: *seed}.File()
		}, nil
	case "x", "medium":
		rows := flags.Int64("rows", 10e6, "number of rows of the large table")
		medium := flags.Int64("medium", 1e6, "number of rows of the other")
		return func() (chunks.File, error) {
			j := dbbench.Join{Rows: *rows, MediumRows: *medium, Seed: *seed}
			if kind == "x" {
				return j.X()
			}
			return j.Medium()
		}, nil
	default:
		return nil, fmt.Errorf("data: there is no %q; there are text, lines, groupby, x and medium", kind)
	}
}
