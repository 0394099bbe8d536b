// Package main makes an inverted index: which documents hold a word.
package main

import (
	"flag"
	"iter"
	"path"
	"slices"
	"strings"
	"unicode"

	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

// Job declares the work. Each file is a document.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("invertedindex", flag.ContinueOnError)
	input := flags.String("input", "", "documents (a path, a directory, a glob or a URL)")
	output := flags.String("output", "", "directory for the index")
	paths := flags.Bool("paths", false, "name documents by their whole paths, not by the last part alone")
	if err := local.Parse(flags, args); err != nil {
		return nil, err
	}
	job := engine.NewJob("invertedindex")
	found := engine.FlatMap(textio.ReadLines(job, *input), func(line textio.Line) iter.Seq[engine.KV[string, string]] {
		document := line.File
		if !*paths {
			document = path.Base(document)
		}
		return wordsIn(line.Text, document)
	})
	index := engine.GroupByKey(engine.Distinct(found, engine.Unordered()), func(word string, documents iter.Seq[string]) iter.Seq[string] {
		return slices.Values([]string{word + ": " + strings.Join(slices.Sorted(documents), " ")})
	})
	textio.Write(index, *output)
	return job, nil
}

// wordsIn returns the words of a text, in lower case, each with the document. A word is made of letters and digits.
func wordsIn(text, document string) iter.Seq[engine.KV[string, string]] {
	return func(yield func(engine.KV[string, string]) bool) {
		for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }) {
			if !yield(engine.Pair(word, document)) {
				return
			}
		}
	}
}

func main() { local.Main(Job) }
