package cluster

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// packages are the jobs, by the names of their plugins.
var packages = map[string]string{
	"invertedindex": "../../examples/invertedindex",
	"join":          "../../examples/join",
	"pagerank":      "../../examples/pagerank",
	"terasort":      "../../examples/terasort",
	"wordcount":     "../../examples/wordcount",
	"pipeline":      "testdata/jobs/pipeline",
	"sides":         "testdata/jobs/sides",
	"unruly":        "testdata/jobs/unruly",
}

// plugins builds each plugin once. One is built at a time: they would only take each other's cores.
var plugins struct {
	sync.Mutex
	built map[string]error
}

// plugin returns the plugin of a job.
func plugin(t *testing.T, name string) string {
	t.Helper()
	plugins.Lock()
	defer plugins.Unlock()
	path := filepath.Join(temp, "plugins", name+".so")
	err, built := plugins.built[name]
	if !built {
		err = build(packages[name], path)
		if plugins.built == nil {
			plugins.built = map[string]error{}
		}
		plugins.built[name] = err
	}
	must(t, err)
	return path
}

func build(pkg, path string) error {
	pkg, err := filepath.Abs(pkg)
	if err != nil {
		return err
	}
	r, err := execute(nil, "build", pkg, "-o", path)
	if err == nil && r.code != 0 {
		err = fmt.Errorf("fletch build %s: exit code %d\n%s", pkg, r.code, r.stderr)
	}
	return err
}

// texts is the word count's real input.
func texts(t *testing.T) string {
	t.Helper()
	return example(t, "wordcount/texts")
}

// example returns the absolute path of what an example brings along.
func example(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs("../../examples/" + path)
	must(t, err)
	return path
}

// parts returns the part files of an output, by name.
func parts(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "part-*"))
	must(t, err)
	all := map[string][]byte{}
	for _, name := range names {
		all[filepath.Base(name)], err = os.ReadFile(name)
		must(t, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "_SUCCESS")); err != nil {
		t.Errorf("the output is not complete: %v", err)
	}
	return all
}

// same wants two outputs to be the same, to the byte.
func same(t *testing.T, got, want string) {
	t.Helper()
	g, w := parts(t, got), parts(t, want)
	bytesOf := 0
	for name := range w {
		bytesOf += len(w[name])
		if !bytes.Equal(g[name], w[name]) {
			t.Errorf("%s of %s has %d bytes and differs from the %d bytes of %s", name, got, len(g[name]), len(w[name]), want)
		}
	}
	if len(g) != len(w) || bytesOf == 0 {
		t.Errorf("%s has %d parts, %s has %d with %d bytes", got, len(g), want, len(w), bytesOf)
	}
	// Besides them there is the manifest alone.
	entries, err := os.ReadDir(got)
	must(t, err)
	if len(entries) != len(g)+1 || !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "_SUCCESS" }) {
		t.Errorf("%s holds %v", got, entries)
	}
}
