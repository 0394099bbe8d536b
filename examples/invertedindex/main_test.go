package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"fletch/examples/internal/exampletest"
	"fletch/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// want indexes files in plain Go; name says what a path is called.
func want(t *testing.T, paths []string, name func(path string) string) (lines []string) {
	t.Helper()
	index := map[string][]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range regexp.MustCompile(`[\pL\p{Nd}]+`).FindAllString(strings.ToLower(string(text)), -1) {
			index[word] = append(index[word], name(path))
		}
	}
	for word, documents := range index {
		slices.Sort(documents)
		lines = append(lines, word+": "+strings.Join(slices.Compact(documents), " ")+"\n")
	}
	slices.Sort(lines)
	return lines
}

// check wants the lines in an output, in the order of the words within each part.
func check(t *testing.T, files exampletest.Files, want []string) {
	t.Helper()
	for name, part := range files {
		var words []string
		for line := range strings.Lines(string(part)) {
			word, _, _ := strings.Cut(line, ":")
			words = append(words, word)
		}
		if !slices.IsSorted(words) {
			t.Errorf("the words of %s are out of order", name)
		}
	}
	got := slices.Sorted(strings.Lines(files.Text("out")))
	if !slices.Equal(got, want) {
		t.Errorf("the index has %d words, want %d\n%s", len(got), len(want), strings.Join(got, ""))
	}
}

// TestIndex indexes the texts of the example.
func TestIndex(t *testing.T) {
	paths, err := filepath.Glob("texts/*.txt")
	if err != nil || len(paths) < 3 {
		t.Fatal(paths, err)
	}
	for partitions, files := range exampletest.SameBytes(t, Job, "--input", "texts") {
		if len(files) != partitions {
			t.Errorf("%d parts of %d partitions", len(files), partitions)
		}
		check(t, files, want(t, paths, filepath.Base))
	}
}

// TestManyDocuments indexes more text than one task reads.
func TestManyDocuments(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	var paths []string
	for i := range 50 {
		var text strings.Builder
		for text.Len() < 90_000 {
			fmt.Fprintf(&text, "Word%d, ", int(random.ExpFloat64()*100))
		}
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("%d.txt", i)))
		if err := os.WriteFile(paths[i], []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lines := want(t, paths, filepath.Base)
	for _, files := range exampletest.SameBytes(t, Job, "--input", dir) {
		check(t, files, lines)
	}
}

// TestNames indexes documents of one name in several directories: together, and by their paths.
func TestNames(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for i, text := range []string{"Ein Öl", "öl und 12 Eier,\n12 Eier", "", "und\nund"} {
		path := filepath.Join(dir, fmt.Sprint(i), fmt.Sprintf("%d.txt", i/2))
		if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	check(t, exampletest.Run(t, Job, local.Config{}, "--input", dir), want(t, paths, filepath.Base))
	whole := func(path string) string { return path }
	check(t, exampletest.Run(t, Job, local.Config{Partitions: 3}, "--input", dir, "--paths"), want(t, paths, whole))
	// A relative path is made absolute, as it is on a cluster.
	t.Chdir(dir)
	check(t, exampletest.Run(t, Job, local.Config{}, "--input", ".", "--paths"), want(t, paths, whole))
}

func TestStrayArgument(t *testing.T) { exampletest.Stray(t, Job) }
