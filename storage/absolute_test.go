package storage_test

import (
	"os"
	"path/filepath"
	"testing"

	"fletch/engine/plan"
	"fletch/storage"
)

// TestAbsoluteInputs lists relative patterns in a directory whose own name is a glob, and their absolute forms from
// elsewhere.
func TestAbsoluteInputs(t *testing.T) {
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(top, `a[b]{c}*?`, "work")
	for _, name := range []string{"one.txt", "two.txt", "[x].txt", "../up.txt", "sub/three.txt"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	patterns := []string{"one.txt", "*.txt", "[x].txt", "../*.txt", "sub", "s*/../*.txt", "**/*.txt", "./{one,two}.txt", "."}
	graph := &plan.Graph{Nodes: []plan.Node{{Source: &plan.Input{Patterns: patterns}}}}
	given := graph.Nodes[0].Source
	found := make([][]string, len(patterns))
	for i, p := range patterns {
		found[i] = list(t, p, dir)
	}
	if err := storage.AbsoluteInputs(graph); err != nil {
		t.Fatal(err)
	}
	t.Chdir(top)
	for i, p := range graph.Nodes[0].Source.Patterns {
		if given.Patterns[i] != patterns[i] {
			t.Errorf("the job's own pattern became %s", given.Patterns[i])
		}
		have := list(t, p, "/")
		if len(have) == 0 || len(have) != len(found[i]) {
			t.Fatalf("%s: %v by %s, %v by %s", patterns[i], have, p, found[i], patterns[i])
		}
		for k := range have {
			if have[k] != found[i][k] {
				t.Errorf("%s: %s by %s, %s before", patterns[i], have[k], p, found[i][k])
			}
		}
	}
}

// list returns the splits' files that a pattern gives, as absolute paths.
func list(t *testing.T, pattern, dir string) (paths []string) {
	t.Helper()
	splits, err := storage.Splits(t.Context(), []string{pattern})
	if err != nil {
		t.Fatalf("%s: %v", pattern, err)
	}
	for _, s := range splits {
		for _, f := range s.Files {
			path := f.Path
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			paths = append(paths, path)
		}
	}
	return paths
}

func TestAbsoluteLeavesAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	names := []string{"/a/*.txt", "s3://bucket/*.txt", "file:///a", ""}
	graph := &plan.Graph{Nodes: []plan.Node{
		{Source: &plan.Input{Patterns: names}},
		{Sink: &plan.Location{Path: "mem:x"}}, {Sink: &plan.Location{Path: "s3://b/x"}}, {Sink: &plan.Location{Path: "/a/b"}},
	}}
	if err := storage.AbsoluteInputs(graph); err != nil {
		t.Fatal(err)
	}
	if err := storage.AbsoluteOutputs(graph); err != nil {
		t.Fatal(err)
	}
	for i, p := range graph.Nodes[0].Source.Patterns {
		if p != names[i] {
			t.Errorf("%q became %q", names[i], p)
		}
	}
	for i, want := range []string{"mem:x", "s3://b/x", "/a/b"} {
		if have := graph.Nodes[i+1].Sink.Path; have != want {
			t.Errorf("%s became %s", want, have)
		}
	}
}
