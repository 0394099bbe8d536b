package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"fletch/bench/contest"
	"fletch/bench/report"
)

// questions are those of db-benchmark's group-by that are asked, with the columns of their results. Sums and means of
// floats may differ in their last digits.
var questions = []struct {
	number int
	about  string
	result contest.Rows
}{
	{1, "sum v1 by id1", contest.Rows{Header: []string{"key", "value"}}},
	{2, "sum v1 by id1, id2", contest.Rows{Header: []string{"id1", "id2", "value"}}},
	{3, "sum v1, mean v3 by id3", contest.Rows{Header: []string{"key", "v1", "v3"}, Floats: []string{"v3"}}},
	{4, "mean v1 to v3 by id4", contest.Rows{Header: []string{"key", "v1", "v2", "v3"}, Floats: []string{"v1", "v2", "v3"}}},
	{5, "sum v1 to v3 by id6", contest.Rows{Header: []string{"key", "v1", "v2", "v3"}, Floats: []string{"v3"}}},
	{10, "sum v3, count by id1 to id6", contest.Rows{
		Header: []string{"id1", "id2", "id3", "id4", "id5", "id6", "v3", "count"}, Floats: []string{"v3"},
	}},
}

// groupBy asks the questions of Fletch and of DuckDB, each from the same CSV file to CSV files that the disk has.
func groupBy(ctx context.Context, c Config) (rows []report.Row, err error) {
	file, err := input(ctx, c, "groupby", "--rows", number(c.scaled(10e6)), "--groups", number(min(100, c.scaled(10e6))))
	if err != nil {
		return nil, err
	}
	if err := buildRivals(ctx, c, "groupby"); err != nil {
		return nil, err
	}
	for _, q := range questions {
		name := fmt.Sprintf("q%d: %s", q.number, q.about)
		flags := []string{"--question", strconv.Itoa(q.number), "--input", file}
		more, err := againstDuckDB(ctx, c, name, file, &q.result, "groupby", flags)
		if err != nil {
			return rows, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// join joins a table with one of a tenth of its rows, likewise.
func join(ctx context.Context, c Config) ([]report.Row, error) {
	flags := []string{"--rows", number(c.scaled(10e6)), "--medium", number(c.scaled(1e6))}
	x, err := input(ctx, c, "x", flags...)
	if err != nil {
		return nil, err
	}
	medium, err := input(ctx, c, "medium", flags...)
	if err != nil {
		return nil, err
	}
	if err := buildRivals(ctx, c, "join"); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("join %s rows with %s", count(c.scaled(10e6)), count(c.scaled(1e6)))
	result := &contest.Rows{Header: []string{"id1", "id2", "id3", "id4", "id5", "id6", "v1", "v2"}, Floats: []string{"v1", "v2"}}
	return againstDuckDB(ctx, c, name, x, result, "join", []string{"--input", x, "--with", medium})
}

// buildRivals builds a job and the program that does its work with DuckDB.
func buildRivals(ctx context.Context, c Config, job string) error {
	return errors.Join(build(ctx, c, c.Module, "./cmd/duck"), build(ctx, c, c.Module, "./jobs/"+job))
}

// againstDuckDB lets a job and DuckDB do the same work with the same flags over a large file.
func againstDuckDB(ctx context.Context, c Config, name, file string, result *contest.Rows, job string, flags []string) ([]report.Row, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	args := func(output string) []string { return append([]string{"--output", output}, flags...) }
	rows, err := run(ctx, c, name, info.Size(), result,
		contest.Contestant{Name: duckdb, Program: c.bin("duck"), Args: func(output string) []string {
			return append([]string{"--work", job}, args(output)...)
		}},
		contest.Contestant{Name: fletch, Program: c.bin(job), Args: args})
	if err != nil {
		return nil, err
	}
	rows[1].Targets = []report.Target{report.AtLeast("speed of DuckDB", rows[1].Speed[duckdb], 0.5, "times")}
	return rows, nil
}
