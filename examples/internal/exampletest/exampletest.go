// Package exampletest runs the examples for their tests.
package exampletest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fletch/engine"
	"fletch/local"
)

// Declare is the function Job of an example.
type Declare func(args []string) (*engine.Job, error)

// Files are what a job has written, by name: out/part-00000.txt and so on.
type Files map[string][]byte

// Text returns the parts of an output, one after another.
func (f Files) Text(output string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if filepath.Dir(name) == output {
			text.Write(f[name])
		}
	}
	return text.String()
}

// Run runs a job in this process, with an output named out beside its arguments.
func Run(t *testing.T, declare Declare, config local.Config, args ...string) Files {
	t.Helper()
	files, err := TryRun(t, declare, config, args...)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TryRun is Run of a job that may fail.
func TryRun(t *testing.T, declare Declare, config local.Config, args ...string) (Files, error) {
	t.Helper()
	dir := t.TempDir()
	job, err := declare(slices.Concat(args, []string{"--output", filepath.Join(dir, "out")}))
	if err != nil {
		return nil, err
	}
	if _, err := local.Run(t.Context(), job, config); err != nil {
		return nil, err
	}
	names, err := filepath.Glob(dir + "/*/part-*")
	if err != nil {
		return nil, err
	}
	files := Files{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[strings.TrimPrefix(name, dir+"/")] = text
	}
	return files, nil
}

// Stray wants a job to refuse an argument that is no flag, wherever it stands.
func Stray(t *testing.T, declare Declare) {
	t.Helper()
	for _, args := range [][]string{{"foo", "--input", "x"}, {"--output", "x", "foo"}} {
		if _, err := declare(args); err == nil || !strings.Contains(err.Error(), `"foo" is not understood`) {
			t.Errorf("%q: error %v", args, err)
		}
	}
}

// SameBytes wants a job to write the same files whatever the cores and the memory, and returns them by the number of
// partitions.
func SameBytes(t *testing.T, declare Declare, args ...string) map[int]Files {
	t.Helper()
	all := map[int]Files{}
	for _, partitions := range []int{1, 5} {
		want := Run(t, declare, local.Config{Partitions: partitions, Parallelism: 1}, args...)
		all[partitions] = want
		for _, config := range []local.Config{
			{Partitions: partitions, Parallelism: 2, MemoryBytes: 1 << 30},
			{Partitions: partitions, Parallelism: 7, MemoryBytes: 64 << 20},
		} {
			t.Run(fmt.Sprintf("partitions=%d parallelism=%d memory=%dMiB", partitions, config.Parallelism, config.MemoryBytes>>20), func(t *testing.T) {
				if got := Run(t, declare, config, args...); !maps.EqualFunc(got, want, bytes.Equal) {
					t.Errorf("other bytes than with parallelism 1")
				}
			})
		}
	}
	return all
}
