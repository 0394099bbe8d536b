package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fletch/engine"
	"fletch/format/csvio"
	"fletch/local"
)

// A program computes a dataset and goes on with its records.
func ExampleCollect() {
	job := engine.NewJob("lengths")
	words := engine.FromSlice(job, strings.Fields("a rose is a rose"))
	lengths := engine.Map(engine.Distinct(words), func(word string) engine.KV[string, int] {
		return engine.Pair(word, len(word))
	})
	records, err := local.Collect(context.Background(), lengths)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range records {
		fmt.Println(r.Key, r.Value)
	}
	// Output:
	// a 1
	// is 2
	// rose 4
}

// A program runs a job with settings of its own and reads what it did.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	job := engine.NewJob("squares")
	squares := engine.Map(engine.Range(job, 1, 4), func(n int64) int64 { return n * n })
	csvio.Write(squares, filepath.Join(dir, "squares"))
	result, err := local.Run(context.Background(), job, local.Config{Parallelism: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.State, result.Outputs[0].Rows)
	text, err := os.ReadFile(filepath.Join(dir, "squares", "part-00000.csv"))
	fmt.Print(string(text), err)
	// Output:
	// succeeded 3
	// value
	// 1
	// 4
	// 9
	// <nil>
}
