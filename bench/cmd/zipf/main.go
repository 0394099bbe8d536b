// Command zipf makes the benchmarks' text once and prints the path of its file.
package main

import (
	"flag"
	"fmt"
	"log"

	"fletch/bench/zipf"
)

func main() {
	dir := flag.String("dir", "data", "directory that keeps the file")
	size := flag.Int64("bytes", 1e9, "size of the text")
	words := flag.Int("words", 1e6, "distinct words to draw from")
	seed := flag.Uint64("seed", 1, "seed of the draws")
	flag.Parse()
	path, err := zipf.File(*dir, zipf.Config{Bytes: *size, Words: *words, Seed: *seed})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(path)
}
