// Package main ranks pages by the links between them: PageRank, after a given number of iterations.
package main

import (
	"flag"
	"fmt"

	"fletch/engine"
	"fletch/format/csvio"
	"fletch/format/textio"
	"fletch/local"
)

// Job declares the work. The iterations are unrolled: the graph has the operators of all of them, one after another.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("pagerank", flag.ContinueOnError)
	input := flags.String("input", "", "text files with a link a line: a page, and the page that it links to")
	output := flags.String("output", "", "directory for the ranks")
	iterations := flags.Int("iterations", 10, "how many times pages pass their ranks on")
	if err := local.Parse(flags, args); err != nil {
		return nil, err
	}
	if *iterations < 0 {
		return nil, fmt.Errorf("--iterations %d: want 0 or more", *iterations)
	}
	job := engine.NewJob("pagerank")
	links := engine.Process(textio.Read(job, *input), parse)
	pages := engine.GroupByKey(links, newPage)
	pages = engine.Broadcast(pages, total(pages), firstRank)
	for range *iterations {
		received := engine.Reduce(engine.FlatMap(pages, passOn), page.plus)
		pages = engine.Broadcast(received, total(pages), nextRank)
	}
	csvio.Write(engine.SortBy(engine.Map(pages, round), engine.Desc(rankOf), engine.Asc(nameOf)), *output)
	return job, nil
}

func main() { local.Main(Job) }
