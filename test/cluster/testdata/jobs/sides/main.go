// Package main is a job whose tasks read other datasets as a whole, side by side, or a sample of them.
package main

import (
	"flag"
	"fmt"
	"iter"
	"strings"

	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

// Job writes each word with the most frequent one that does not stand behind it, the words in falling order, and those that
// are or begin with a word of 11 letters or fewer, with its count; and the most frequent ones with theirs, twice.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("sides", flag.ContinueOnError)
	input := flags.String("input", "", "text files")
	output := flags.String("output", "", "directory for the ranks; NAME-sorted, NAME-joined and NAME-found get the others")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	job := engine.NewJob("sides")
	words := engine.FlatMap(textio.Read(job, *input), func(line string) iter.Seq[string] { return strings.FieldsSeq(line) })
	counts := engine.Count(words)
	top := engine.TopN(counts, 20,
		engine.Desc(func(kv engine.KV[string, int64]) int64 { return kv.Value }),
		engine.Asc(func(kv engine.KV[string, int64]) string { return kv.Key }))
	// The words are read again for this, once the most frequent ones are known.
	ranked := engine.Broadcast(words, top, func(word string, top []engine.KV[string, int64]) iter.Seq[string] {
		return func(yield func(string) bool) {
			for rank, kv := range top {
				if kv.Key <= word {
					yield(fmt.Sprint(rank, " ", kv.Key, " ", word))
					return
				}
			}
		}
	})
	textio.Write(engine.Distinct(ranked), *output)
	textio.Write(engine.SortBy(words, engine.Desc(func(word string) string { return word })), *output+"-sorted")
	short := engine.Map(engine.Distinct(words), func(word string) engine.KV[string, string] {
		return engine.Pair(word[:min(11, len(word))], word)
	})
	textio.Write(engine.Map(engine.Join(short, counts), func(kv engine.KV[string, engine.Joined[string, int64]]) string {
		return fmt.Sprint(kv.Key, " ", kv.Value.Left, " ", kv.Value.Right)
	}), *output+"-joined")
	// The most frequent words are few, so the others are not moved for this.
	found := engine.Join(engine.KeyBy(engine.FlatMap(textio.Read(job, *input), strings.FieldsSeq), func(word string) string { return word }), top)
	textio.Write(engine.Map(engine.Count(found), func(kv engine.KV[engine.KV[string, engine.Joined[string, int64]], int64]) string {
		return fmt.Sprint(kv.Key.Key, " ", kv.Key.Value.Right, " ", kv.Value)
	}), *output+"-found")
	return job, nil
}

func main() { local.Main(Job) }
