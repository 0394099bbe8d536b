// Package main joins the two tables of db-benchmark's question "medium inner on int".
package main

import (
	"flag"

	"fletch/engine"
	"fletch/format/csvio"
	"fletch/local"
)

// row is a row of the large table.
type row struct {
	ID1 int32   `fletch:"id1"`
	ID2 int32   `fletch:"id2"`
	ID3 int32   `fletch:"id3"`
	ID4 string  `fletch:"id4"`
	ID5 string  `fletch:"id5"`
	ID6 string  `fletch:"id6"`
	V1  float64 `fletch:"v1"`
}

// match is what is needed of a row of the other table.
type match struct {
	ID2 int32   `fletch:"id2"`
	V2  float64 `fletch:"v2"`
}

// result is a row with what the other table has for it.
type result struct {
	ID1 int32   `fletch:"id1"`
	ID2 int32   `fletch:"id2"`
	ID3 int32   `fletch:"id3"`
	ID4 string  `fletch:"id4"`
	ID5 string  `fletch:"id5"`
	ID6 string  `fletch:"id6"`
	V1  float64 `fletch:"v1"`
	V2  float64 `fletch:"v2"`
}

// Job declares the work.
func Job(args []string) (*engine.Job, error) {
	flags := flag.NewFlagSet("join", flag.ContinueOnError)
	input := flags.String("input", "", "CSV file of the large table")
	with := flags.String("with", "", "CSV file of the table to join it with")
	output := flags.String("output", "", "directory for the joined rows")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	job := engine.NewJob("join")
	rows := engine.KeyBy(csvio.Read[row](job, *input), func(r row) int32 { return r.ID2 })
	matches := engine.Map(csvio.Read[match](job, *with), func(m match) engine.KV[int32, float64] { return engine.Pair(m.ID2, m.V2) })
	joined := engine.Join(rows, matches)
	csvio.Write(engine.Map(joined, func(j engine.KV[int32, engine.Joined[row, float64]]) result {
		r := j.Value.Left
		return result{r.ID1, r.ID2, r.ID3, r.ID4, r.ID5, r.ID6, r.V1, j.Value.Right}
	}), *output)
	return job, nil
}

func main() { local.Main(Job) }
