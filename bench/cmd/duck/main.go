// Command duck does the work of a benchmark with DuckDB:
//
//	duck --work wordcount --input FILE --output DIR
//	duck --work groupby --question N --input FILE --output DIR
//	duck --work join --input FILE --with FILE --output DIR
//	duck --work sums --rows N --keys N --output DIR
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"runtime"

	"fletch/bench/duck"
)

func main() {
	work := flag.String("work", "wordcount", "what to do: wordcount, groupby, join or sums")
	input := flag.String("input", "", "file to read")
	with := flag.String("with", "", "file to join it with")
	question := flag.Int("question", 1, "number of the group-by's question")
	rows := flag.Int64("rows", 1e8, "rows to sum up")
	keys := flag.Int64("keys", 2e7, "keys that they have")
	var c duck.Config
	flag.StringVar(&c.Output, "output", "", "directory for the result")
	flag.IntVar(&c.Cores, "cores", runtime.GOMAXPROCS(0), "cores to use")
	flag.StringVar(&c.Memory, "memory", "", "memory limit, such as 512MB")
	flag.Parse()
	query, err := "", error(nil)
	switch *work {
	case "wordcount":
		query = duck.Count(*input)
	case "groupby":
		query, err = duck.GroupBy(*question, *input)
	case "join":
		query = duck.Join(*input, *with)
	case "sums":
		query = duck.Sums(*rows, *keys)
	default:
		err = fmt.Errorf("there is no work %q", *work)
	}
	if err == nil {
		err = duck.Copy(context.Background(), query, c)
	}
	if err != nil {
		log.Fatal(err)
	}
}
