// Command limit counts the words of a file by hand-written code: the limit of the word count benchmark.
package main

import (
	"flag"
	"log"
	"runtime"

	"fletch/bench/limit"
)

func main() {
	input := flag.String("input", "", "text file to count")
	output := flag.String("output", "", "directory for the counts; must not exist")
	cores := flag.Int("cores", runtime.GOMAXPROCS(0), "cores to use")
	flag.Parse()
	if err := limit.Count(*input, *output, *cores); err != nil {
		log.Fatal(err)
	}
}
