package main

import (
	"flag"
	"fmt"
	"hash/crc32"
	"math"

	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

// validate declares a job that counts and sums records, and fails if one is out of order. What it finds goes to the output
// and, as counters, into the summary.
//
// The parts of the input are read at once. Each is folded to a summary, and the summaries to one: Reduce folds values in
// the order of the input, so that neighbours meet wherever the input was cut.
func validate(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("terasort validate", flag.ContinueOnError)
	input := flags.String("input", "", "files to check, in the order of their names (a path, a directory, a glob or a URL)")
	output := flags.String("output", "", "directory for the report")
	unsorted := flags.Bool("unsorted", false, "only count and sum: the input has yet to be sorted")
	if err := local.Parse(flags, args); err != nil {
		return nil, err
	}
	job := engine.NewJob("terasort-validate")
	lines := engine.Map(textio.ReadLines(job, *input), func(l textio.Line) engine.KV[int, summary] { return engine.Pair(0, summaryOf(l)) })
	none := engine.FromSlice(job, []engine.KV[int, summary]{{}}) // no input at all has a report too
	whole := engine.Reduce(engine.Union(lines, none), summary.followedBy)
	report := engine.Process(whole, func(t *engine.Task, kv engine.KV[int, summary], emit func(string)) error {
		s := kv.Value
		if s.Disorders > 0 && !*unsorted {
			return s.disorder()
		}
		show := func(name string, n int64) {
			t.Add(name, n)
			emit(fmt.Sprintf("%s: %d", name, n))
		}
		show("records", s.Records)
		show("checksum", s.Checksum)
		if !*unsorted {
			show("duplicate keys", s.Duplicates)
		}
		return nil
	})
	textio.Write(engine.Repartition(report, 1), *output) // in one part, whatever the number of partitions
	return job, nil
}

// summary is what is known of records that follow each other.
type summary struct {
	Records     int64
	Checksum    int64 // of all records, in any order: the sum of their CRC-32C modulo 2^63
	Duplicates  int64 // records whose key is that of the one before
	Disorders   int64 // records whose key is less than that of the one before
	Early, Late place // the first of these, and the one before it
	First, Last place // of all
}

// place is where a record stands.
type place struct {
	File   string
	Offset int64
	Key    string
}

func summaryOf(l textio.Line) summary {
	at := place{l.File, l.Offset, key(l.Text)}
	return summary{Records: 1, Checksum: int64(crc32.Checksum([]byte(l.Text), castagnoli)), First: at, Last: at}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// followedBy returns the summary of the records of s and, behind them, those of next.
func (s summary) followedBy(next summary) summary {
	if s.Records == 0 {
		return next
	}
	if next.Records == 0 {
		return s
	}
	late, early := s.Last, next.First
	s.Records += next.Records
	s.Checksum = (s.Checksum + next.Checksum) & math.MaxInt64
	s.Duplicates += next.Duplicates
	s.Last = next.Last
	if early.Key == late.Key {
		s.Duplicates++
	}
	if early.Key < late.Key {
		if s.Disorders == 0 {
			s.Late, s.Early = late, early
		}
		s.Disorders++
	}
	if s.Disorders == 0 {
		s.Late, s.Early = next.Late, next.Early
	}
	s.Disorders += next.Disorders
	return s
}

// disorder says which record is the first that is out of order.
func (s summary) disorder() error {
	return fmt.Errorf("%d of %d records are out of order; the first: %q at byte %d of %s comes behind %q at byte %d of %s (--unsorted checks input that is not sorted yet)",
		s.Disorders, s.Records, s.Early.Key, s.Early.Offset, s.Early.File, s.Late.Key, s.Late.Offset, s.Late.File)
}
