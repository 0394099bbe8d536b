package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"fletch/examples/internal/exampletest"
	"fletch/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const input = "texts/*.txt"

// run runs the job and returns its part files, by name.
func run(t *testing.T, config local.Config) map[string][]byte {
	t.Helper()
	output := filepath.Join(t.TempDir(), "counts")
	job, err := Job([]string{"--input", input, "--output", output})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := local.Run(t.Context(), job, config); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(output + "/part-*.csv")
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string][]byte{}
	for _, name := range names {
		if parts[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return parts
}

// TestCounts compares the job with a map that counts the same words.
func TestCounts(t *testing.T) {
	want := map[string]int{}
	names, err := filepath.Glob(input)
	if err != nil || len(names) < 2 {
		t.Fatalf("texts %v, %v", names, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		words := bufio.NewScanner(bytes.NewReader(text))
		words.Split(bufio.ScanWords)
		for words.Scan() {
			want[words.Text()]++
		}
	}
	for _, partitions := range []int{1, 3} {
		got := map[string]int{}
		parts := run(t, local.Config{Partitions: partitions})
		for name, part := range parts {
			rows, err := csv.NewReader(bytes.NewReader(part)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if header := strings.Join(rows[0], " "); header != "key value" {
				t.Errorf("%s: header %q", name, header)
			}
			for _, row := range rows[1:] {
				n, err := strconv.Atoi(row[1])
				if err != nil || got[row[0]] != 0 {
					t.Errorf("%s: row %q: %v", name, row, err)
				}
				got[row[0]] = n
			}
		}
		if len(parts) != partitions || !maps.Equal(got, want) {
			t.Errorf("%d partitions: %d parts with %d words, want %d words", partitions, len(parts), len(got), len(want))
		}
	}
}

// TestSameBytes sees that only the number of partitions decides what stands where.
func TestSameBytes(t *testing.T) {
	for _, partitions := range []int{1, 4} {
		want := run(t, local.Config{Partitions: partitions, Parallelism: 1})
		for _, parallelism := range []int{1, 2, 7} {
			for _, memory := range []int64{64 << 20, 1 << 30} {
				t.Run(fmt.Sprintf("partitions=%d parallelism=%d memory=%dMiB", partitions, parallelism, memory>>20), func(t *testing.T) {
					got := run(t, local.Config{Partitions: partitions, Parallelism: parallelism, MemoryBytes: memory})
					if !maps.EqualFunc(got, want, bytes.Equal) {
						t.Errorf("other bytes than with parallelism 1")
					}
				})
			}
		}
	}
}

func TestStrayArgument(t *testing.T) { exampletest.Stray(t, Job) }
