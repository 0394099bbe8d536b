package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fletch/engine"
	"fletch/format/textio"
	"fletch/local"
)

type (
	row      = engine.KV[int64, string]
	inner    = engine.KV[int64, engine.Joined[string, string]]
	leftRow  = engine.KV[int64, engine.Joined[string, engine.Optional[string]]]
	rightRow = engine.KV[int64, engine.Joined[engine.Optional[string], string]]
)

// shown makes text of what a join returns.
func shown[T any](in engine.Dataset[T]) engine.Dataset[string] {
	return engine.Map(in, func(rec T) string { return fmt.Sprintf("%.40v", rec) })
}

// joins are those that can look up an input, by which one may be that.
var joins = []struct {
	name string
	look [2]bool // left, right
	join func(left, right engine.Dataset[row]) engine.Dataset[string]
}{
	{"Join", [2]bool{true, true}, func(l, r engine.Dataset[row]) engine.Dataset[string] { return shown[inner](engine.Join(l, r)) }},
	{"LeftJoin", [2]bool{false, true}, func(l, r engine.Dataset[row]) engine.Dataset[string] { return shown[leftRow](engine.LeftJoin(l, r)) }},
	{"RightJoin", [2]bool{true, false}, func(l, r engine.Dataset[row]) engine.Dataset[string] {
		return shown[rightRow](engine.RightJoin(l, r))
	}},
	{"FullJoin", [2]bool{}, func(l, r engine.Dataset[row]) engine.Dataset[string] { return shown(engine.FullJoin(l, r)) }},
	{"SemiJoin", [2]bool{false, true}, func(l, r engine.Dataset[row]) engine.Dataset[string] { return shown(engine.SemiJoin(l, r)) }},
	{"AntiJoin", [2]bool{false, true}, func(l, r engine.Dataset[row]) engine.Dataset[string] { return shown(engine.AntiJoin(l, r)) }},
}

// TestJoinsLookUp joins a dataset with a smaller one. Where the result goes on to a shuffle, each join that can looks up the
// smaller one, and shuffles the other one only if the smaller one is large all the same. The result is that of the join that
// writes to a sink, which always shuffles both.
func TestJoinsLookUp(t *testing.T) {
	for _, width := range []int{10, 40_000} { // of a value: 500 of them have less than the limit, or more
		rows := func(job *engine.Job, n int64) engine.Dataset[row] {
			return engine.Map(engine.Range(job, 0, n), func(i int64) row {
				return engine.Pair(i*7%1000, strings.Repeat("x", width)+fmt.Sprint(i))
			})
		}
		for _, j := range joins {
			for small := range 2 {
				t.Run(fmt.Sprint(j.name, " ", width, " ", small), func(t *testing.T) {
					sizes := [2]int64{800, 800}
					sizes[small] = 500
					job := engine.NewJob("join")
					joined := j.join(rows(job, sizes[0]), rows(job, sizes[1]))
					dir := t.TempDir()
					textio.Write(engine.Map(engine.Count(joined), func(kv engine.KV[string, int64]) string { return fmt.Sprint(kv.Key, kv.Value) }), filepath.Join(dir, "out"))
					report, err := local.Run(t.Context(), job, local.Config{Partitions: 3})
					if err != nil {
						t.Fatal(err)
					}
					looked := false
					for _, s := range report.Stages {
						looked = looked || strings.HasPrefix(s.Name, "Range") && strings.Contains(s.Name, " "+j.name+" ")
					}
					if want := j.look[small] && width == 10; looked != want {
						t.Errorf("the %d. input is looked up: %v, want %v: %+v", small+1, looked, want, report.Stages)
					}
					other := engine.NewJob("join")
					want := collect(t, j.join(rows(other, sizes[0]), rows(other, sizes[1])))
					if got := expand(t, filepath.Join(dir, "out")); !slices.Equal(got, sortedOf(want)) {
						t.Errorf("%d records, want %d", len(got), len(want))
					}
				})
			}
		}
	}
}

func sortedOf(lines []string) []string {
	slices.Sort(lines)
	return lines
}

// expand reads lines that end in how often each stands there.
func expand(t *testing.T, dir string) (lines []string) {
	t.Helper()
	parts, err := filepath.Glob(dir + "/part-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range parts {
		text, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSuffix(line, "\n")
			lines = append(lines, slices.Repeat([]string{line[:len(line)-1]}, int(line[len(line)-1]-'0'))...)
		}
	}
	return sortedOf(lines)
}
