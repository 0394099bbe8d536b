// Package main is a job with several shuffles and two outputs.
package main

import (
	"flag"
	"fmt"
	"iter"
	"strings"

	"fletch/engine"
	"fletch/format/csvio"
	"fletch/format/textio"
	"fletch/local"
)

// Job numbers the distinct words within each prefix, adds the words themselves, and writes what is there once; the most
// frequent words go to a second output.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("pipeline", flag.ContinueOnError)
	input := flags.String("input", "", "text files")
	output := flags.String("output", "", "directory for the lines; NAME-top gets the most frequent words")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	job := engine.NewJob("pipeline")
	words := engine.FlatMap(textio.Read(job, *input), strings.FieldsSeq)
	counts := engine.Count(words)
	prefixes := engine.Map(counts, func(kv engine.KV[string, int64]) engine.KV[string, string] {
		return engine.Pair(kv.Key[:min(2, len(kv.Key))], kv.Key)
	})
	numbered := engine.GroupByKey(prefixes, func(prefix string, words iter.Seq[string]) iter.Seq[string] {
		return func(yield func(string) bool) {
			n := 0
			for word := range words {
				if n++; !yield(fmt.Sprintf("%s %d %s", prefix, n, word)) {
					return
				}
			}
		}
	})
	textio.Write(engine.Distinct(engine.Union(numbered, words)), *output)
	top := engine.TopN(counts, 100,
		engine.Desc(func(kv engine.KV[string, int64]) int64 { return kv.Value }),
		engine.Asc(func(kv engine.KV[string, int64]) string { return kv.Key }))
	csvio.Write(top, *output+"-top")
	return job, nil
}

func main() { local.Main(Job) }
