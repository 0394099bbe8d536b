// Package duck does the benchmarks' work with DuckDB: what a user would take instead of Fletch for it.
package duck

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // registers the driver "duckdb"
)

// Config says where DuckDB writes what a query gives, and what it may use.
type Config struct {
	Output string // directory of CSV files to make, each with a header
	Cores  int
	Memory string // memory limit, such as 512MB; empty leaves DuckDB's own
}

// Copy writes the rows of a query, in any order, and returns when the disk has them.
func Copy(ctx context.Context, query string, c Config) (err error) {
	temporary, err := os.MkdirTemp("", "duck-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temporary)) }()
	// Keeping the order of the rows would put much of a query on one core.
	db, err := sql.Open("duckdb", fmt.Sprintf("?threads=%d&preserve_insertion_order=false", c.Cores))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	statements := []string{
		"set temp_directory = " + quote(temporary),
		// A file for each thread: a single one takes twice as long where the result is large.
		fmt.Sprintf("copy (%s) to %s (format csv, header true, per_thread_output true)", query, quote(c.Output)),
	}
	if c.Memory != "" {
		statements = append([]string{"set memory_limit = " + quote(c.Memory)}, statements...)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return sync(c.Output)
}

// sync waits until the disk has the files of a directory: what the others in a contest wait for as well.
func sync(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, path := range append(files, dir) {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	return nil
}

func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
