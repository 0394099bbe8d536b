package main

import (
	"cmp"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"fletch/examples/internal/exampletest"
	"fletch/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recordsOf is what gen writes.
func recordsOf(seed uint64, n int) []string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = record(seed, int64(i))
	}
	return lines
}

// write makes a directory of files of lines, and returns it. The order of the files' names is that of texts.
func write(t *testing.T, texts ...[]string) string {
	t.Helper()
	dir := t.TempDir()
	for i, lines := range texts {
		text := strings.Join(append(lines[:len(lines):len(lines)], ""), "\n")
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.txt", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestGen looks at each record, and wants the same ones of the same seed.
func TestGen(t *testing.T) {
	const n = 150_000 // more than one part
	files := exampletest.Run(t, Job, local.Config{Parallelism: 7}, "gen", "--records", fmt.Sprint(n), "--seed", "7")
	text := files.Text("out")
	if len(files) < 2 || len(text) != 100*n {
		t.Fatalf("%d parts of %d bytes", len(files), len(text))
	}
	keys := map[string]bool{}
	number := 0
	for line := range strings.Lines(text) {
		k, rest := line[:10], line[10:]
		if len(line) != 100 || strings.ContainsFunc(k, func(c rune) bool { return c < ' ' || c > '~' }) || rest[:36] != fmt.Sprintf("  %032d  ", number) {
			t.Fatalf("record %d is %q", number, line)
		}
		keys[k] = true
		number++
	}
	if len(keys) != n {
		t.Errorf("%d records have %d keys", n, len(keys))
	}
	if again := exampletest.Run(t, Job, local.Config{Parallelism: 1}, "gen", "--records", fmt.Sprint(n), "--seed", "7"); again.Text("out") != text {
		t.Error("the same seed makes other records")
	}
	if other := exampletest.Run(t, Job, local.Config{}, "gen", "--records", "1", "--seed", "8"); other.Text("out")[:10] == text[:10] {
		t.Error("another seed makes the same record")
	}
}

// TestSort compares the job with a sort of all lines at once: of many keys, of few that many lines share, and of lines
// that are shorter than a key.
func TestSort(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	many := recordsOf(1, 50_000) // enough for several tasks
	few := recordsOf(2, 5_000)
	for i := range few {
		few[i] = fmt.Sprintf("the keyno%d%s", random.IntN(3), few[i]) // ten bytes with the digit
	}
	short := []string{"b", "", "a", "", "a b", "a\x00", "ä", "a"}
	want := slices.SortedStableFunc(slices.Values(slices.Concat(many, few, short)), func(a, b string) int {
		return cmp.Compare(a[:min(10, len(a))], b[:min(10, len(b))])
	})
	for partitions, files := range exampletest.SameBytes(t, Job, "--input", write(t, many, few, short)) {
		if len(files) != partitions {
			t.Errorf("%d parts of %d partitions", len(files), partitions)
		}
		if text := files.Text("out"); text != strings.Join(want, "\n")+"\n" {
			t.Errorf("%d partitions: the lines are not those of the input in order", partitions)
		}
	}
}

// TestValidate wants the same figures of sorted records as of the unsorted ones.
func TestValidate(t *testing.T) {
	lines := recordsOf(3, 50_000)
	lines = append(lines, lines[:100]...)
	var sum int64
	for _, l := range lines {
		sum += int64(crc32.Checksum([]byte(l), crc32.MakeTable(crc32.Castagnoli)))
	}
	sorted := slices.Sorted(slices.Values(lines))
	want := fmt.Sprintf("records: %d\nchecksum: %d\n", len(lines), sum)
	for _, files := range exampletest.SameBytes(t, Job, "validate", "--input", write(t, sorted[:10], nil, sorted[10:49_999], sorted[49_999:])) {
		if report := files.Text("out"); report != want+"duplicate keys: 100\n" || len(files) != 1 {
			t.Errorf("report in %d parts\n%swant\n%sduplicate keys: 100", len(files), report, want)
		}
	}
	for _, files := range exampletest.SameBytes(t, Job, "validate", "--unsorted", "--input", write(t, lines)) {
		if report := files.Text("out"); report != want {
			t.Errorf("report\n%swant\n%s", report, want)
		}
	}
	if report := exampletest.Run(t, Job, local.Config{}, "validate", "--input", write(t, nil)).Text("out"); report != "records: 0\nchecksum: 0\nduplicate keys: 0\n" {
		t.Errorf("report on nothing:\n%s", report)
	}
}

// TestDisorder wants the first record out of order to be named: within a task, between tasks and between files.
func TestDisorder(t *testing.T) {
	sorted := slices.Sorted(slices.Values(recordsOf(4, 50_000)))
	half := len(sorted) / 2                    // the file of 5 MB is cut in two there
	for name, swaps := range map[string][]int{ // each of these records changes places with the one before it
		"early": {1, 3}, "at the cut": {half}, "late": {len(sorted) - 1}, "in both tasks": {half - 5, half + 9, len(sorted) - 2},
	} {
		lines := slices.Clone(sorted)
		for _, i := range swaps {
			lines[i-1], lines[i] = lines[i], lines[i-1]
		}
		first := swaps[0]
		dir := write(t, lines)
		want := fmt.Sprintf("%d of %d records are out of order; the first: %q at byte %d of %s/0.txt comes behind %q at byte %d of %[5]s/0.txt",
			len(swaps), len(lines), key(lines[first]), 100*first, dir, key(lines[first-1]), 100*(first-1))
		for _, partitions := range []int{1, 5} {
			if _, err := exampletest.TryRun(t, Job, local.Config{Partitions: partitions}, "validate", "--input", dir); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %s", name, err, want)
			}
		}
	}
	dir := write(t, sorted[10:20], sorted[:10])
	want := fmt.Sprintf("1 of 20 records are out of order; the first: %q at byte 0 of %s/1.txt comes behind %q at byte 900 of %[2]s/0.txt", key(sorted[0]), dir, key(sorted[19]))
	if _, err := exampletest.TryRun(t, Job, local.Config{}, "validate", "--input", dir); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// TestHelp wants the help to say what there is besides the sort.
func TestHelp(t *testing.T) {
	flags := flag.NewFlagSet("terasort", flag.ContinueOnError)
	flags.String("input", "", "text files")
	var text strings.Builder
	flags.SetOutput(&text)
	usage(flags)
	for _, want := range []string{"terasort gen  ", "terasort validate  ", "-input"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
}

func TestArguments(t *testing.T) {
	for _, args := range [][]string{{"generate"}, {"gen", "100"}, {"validate", "--input", "x", "y"}} {
		if _, err := Job(args); err == nil || !strings.Contains(err.Error(), "is not understood: --help lists the flags of terasort") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
