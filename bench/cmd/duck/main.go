// Command duck counts the words of a file with DuckDB: the peer of the word count benchmark.
package main

import (
	"context"
	"flag"
	"log"
	"runtime"

	"fletch/bench/duck"
)

func main() {
	var c duck.Config
	flag.StringVar(&c.Input, "input", "", "text file to count")
	flag.StringVar(&c.Output, "output", "", "CSV file for the counts")
	flag.IntVar(&c.Cores, "cores", runtime.GOMAXPROCS(0), "cores to use")
	flag.StringVar(&c.Memory, "memory", "", "memory limit, such as 512MB")
	flag.Parse()
	if err := duck.Count(context.Background(), c); err != nil {
		log.Fatal(err)
	}
}
