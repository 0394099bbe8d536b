package build

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"fletch/plugins"
	"fletch/plugins/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// files makes a directory with these files.
func files(t *testing.T, contents map[string]string) (dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range contents {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func this(t *testing.T) *plugins.Build {
	t.Helper()
	b, err := plugins.ThisBuild()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const job = "package main\n\nfunc Job() {}\n\nfunc main() {}\n"

// TestPrepare has what keeps a plugin from being built, by where it gets Fletch from.
func TestPrepare(t *testing.T) {
	root := this(t).Root
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	copied := files(t, map[string]string{"go.mod": "module fletch\n\ngo 1.26\n", "job/main.go": job})
	module := "module example.com/job\n\ngo 1.26\n"
	replace := func(dir string) string {
		return module + "\nrequire fletch v0.0.0\n\nreplace fletch => " + dir + "\n"
	}
	tests := []struct {
		name  string
		files map[string]string
		want  string // DIR is where the files are; empty if nothing is wrong
	}{
		{"replaced", map[string]string{"go.mod": replace(root), "main.go": job}, ""},
		{"not required", map[string]string{"go.mod": module, "main.go": job},
			"DIR/go.mod does not say where fletch is: in its directory, run go mod edit -require=fletch@v0.0.0 -replace=fletch=" + root},
		{"a copy", map[string]string{"go.mod": replace(copied), "main.go": job},
			"DIR/go.mod takes fletch from " + copied + ", but this fletch was built in " + root + ", and the directory has to be the same: in its directory, run go mod edit -replace=fletch=" + root},
		{"another name", map[string]string{"go.mod": replace(link), "main.go": job},
			"DIR/go.mod takes fletch from " + link + ", but this fletch was built in " + root},
		{"workspace", map[string]string{"go.mod": module, "main.go": job, "go.work": "go 1.26.0\n\nuse (\n\t.\n\t" + root + "\n)\n"}, ""},
		{"workspace with a copy", map[string]string{"go.mod": module, "main.go": job, "go.work": "go 1.26.0\n\nuse (\n\t.\n\t" + copied + "\n)\n"},
			"DIR/go.work takes fletch from " + copied + ", but this fletch was built in " + root + ", and the directory has to be the same: let it say use " + root},
		{"workspace without the job", map[string]string{"go.mod": replace(root), "main.go": job, "go.work": "go 1.26.0\n\nuse " + root + "\n"},
			"go work use"},
		{"no module", map[string]string{"main.go": job}, "DIR is no package that can be built: go: go.mod file not found"},
		{"no job", map[string]string{"go.mod": replace(root), "main.go": "package main\n\nfunc main() {}\n"}, "DIR has no function Job"},
		{"newer Go", map[string]string{"go.mod": strings.Replace(replace(root), "go 1.26", "go 1.99", 1), "main.go": job}, "go.mod requires go >= 1.99"},
		{"vendor", map[string]string{"go.mod": replace(root), "main.go": job, "vendor/modules.txt": "# wrong\n"}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := files(t, test.files)
			b := &builder{this: this(t), out: filepath.Join(dir, "job.so")}
			err := b.prepare(t.Context(), dir)
			if closing := b.close(); closing != nil {
				t.Error(closing)
			}
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			want := strings.ReplaceAll(test.want, "DIR", dir)
			if _, ok := errors.AsType[*source.Mistake](err); !ok || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want %s", err, want)
			}
		})
	}
}

// TestOwnJob has a job of Fletch's own module: through a link, and in another copy.
func TestOwnJob(t *testing.T) {
	root := this(t).Root
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	b := &builder{this: this(t), out: "job.so"}
	if err := b.prepare(t.Context(), filepath.Join(link, "examples", "wordcount")); err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "examples", "wordcount"); b.job.WorkDir != want || b.job.Pattern != "." {
		t.Errorf("it is built as %s in %s, want in %s", b.job.Pattern, b.job.WorkDir, want)
	}
	copied := files(t, map[string]string{"go.mod": "module fletch\n\ngo 1.26\n", "job/main.go": job})
	err := b.prepare(t.Context(), filepath.Join(copied, "job"))
	want := "is a job of the fletch in " + copied + ", but this one was built in " + root + ": build that one, cd " + copied + " && go build ./cmd/fletch, and use it"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestTrimmed has a fletch that does not know its directory: FLETCH_SDK names one, and a workspace joins it to the job.
func TestTrimmed(t *testing.T) {
	trimmed := this(t)
	root := trimmed.Root
	trimmed.Root, trimmed.ModuleCache = "", ""
	dir := files(t, map[string]string{"go.mod": "module example.com/job\n\ngo 1.26\n\nrequire fletch v0.0.0\n\nreplace fletch => " + root + "\n", "main.go": job})
	t.Setenv(rootEnv, root)
	b := &builder{this: trimmed, out: filepath.Join(dir, "job.so")}
	module, err := func() (string, error) {
		tool, err := findTool(t.Context(), trimmed)
		if err != nil {
			return "", err
		}
		m := &module{goMod: filepath.Join(dir, "go.mod")}
		work, err := m.workspace(tool, root, trimmed.Go)
		b.temp = append(b.temp, work)
		if err != nil {
			return "", err
		}
		out, err := tool.Run(t.Context(), dir, "list", "-m", "-f", "{{.Path}} {{.Main}} {{.Dir}}", "fletch")
		return string(out), err
	}()
	if err := errors.Join(err, b.close()); err != nil || module != "fletch true "+root+"\n" {
		t.Errorf("the job's fletch is %q, %v", module, err)
	}
}

func TestRoot(t *testing.T) {
	root1 := this(t).Root
	other := files(t, map[string]string{"go.mod": "module fletch\n"})
	foreign := files(t, map[string]string{"go.mod": "module example.com/fletch\n"})
	tests := []struct {
		name, built, named, want, err string
	}{
		{"known", root1, "", root1, ""},
		{"named alike", root1, root1 + "/engine/..", root1, ""},
		{"named otherwise", root1, other, "", "FLETCH_SDK is " + other + ", but this fletch was built in " + root1 + ", and jobs have to be built of the same directory: unset FLETCH_SDK"},
		{"unknown", "", "", "", "this fletch does not know the directory of its sources, as it was built with -trimpath: set FLETCH_SDK to it"},
		{"unknown and named", "", other, other, ""},
		{"gone", "/nowhere/fletch", "", "", "fletch's sources are needed to build a job, and are not in /nowhere/fletch"},
		{"another module", "", foreign, "", foreign + " has another module than fletch"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := root(&plugins.Build{Root: test.built}, test.named)
			if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
				t.Errorf("%q, %v, want %q, %s", got, err, test.want, test.err)
			}
		})
	}
}

func TestTool(t *testing.T) {
	other := *this(t)
	other.Go = "devel go1.99-abcdef"
	if _, err := findTool(t.Context(), &other); err == nil || !strings.HasPrefix(err.Error(), "this fletch was built with devel go1.99-abcdef, and a job needs the same: ") {
		t.Errorf("another Go: %v", err)
	}
	noCgo := *this(t)
	noCgo.Settings = maps.Clone(noCgo.Settings)
	noCgo.Settings["CGO_ENABLED"] = "0"
	if _, err := findTool(t.Context(), &noCgo); !errors.Is(err, plugins.ErrNoCgo) {
		t.Errorf("no cgo: %v", err)
	}
	vendored := *this(t)
	vendored.ModuleCache = ""
	if _, err := findTool(t.Context(), &vendored); err == nil || !strings.Contains(err.Error(), "was built with vendor/") {
		t.Errorf("vendored: %v", err)
	}
}

func TestFlags(t *testing.T) {
	b := &plugins.Build{Settings: map[string]string{"-race": "true", "-tags": "noasm,x", "-compiler": "gc", "CGO_ENABLED": "1"}}
	if got := strings.Join(flags(b), " "); got != "-race=true -tags=noasm,x" {
		t.Errorf("flags %s", got)
	}
}

// TestChangedSources has sources that differ from those that this program was built of.
func TestChangedSources(t *testing.T) {
	root := this(t).Root
	copied := t.TempDir()
	if err := os.CopyFS(filepath.Join(copied, "fault"), os.DirFS(filepath.Join(root, "fault"))); err != nil {
		t.Fatal(err)
	}
	b := &builder{module: &module{Dir: copied}}
	fault := map[string]string{"fletch/fault": plugins.Shared()["fletch/fault"]}
	if err := b.checkSources(fault); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, "fault", "more_test.go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.checkSources(fault); err != nil {
		t.Errorf("a test counts: %v", err)
	}
	if err := os.WriteFile(filepath.Join(copied, "fault", "more.go"), []byte("package fault\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := "the sources in " + copied + " have changed since this fletch was built: fletch/fault; build it again, cd " + copied + " && go build ./cmd/fletch"
	if err := b.checkSources(fault); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	gone := map[string]string{"fletch/engine": plugins.Shared()["fletch/engine"]}
	if err := b.checkSources(gone); err == nil || !strings.Contains(err.Error(), "fletch/engine") {
		t.Errorf("sources that are gone: %v", err)
	}
}

// TestNoFile has names of the plugin's file that can't be.
func TestNoFile(t *testing.T) {
	example := filepath.Join(this(t).Root, "examples", "wordcount")
	dir := t.TempDir()
	if err := Build(t.Context(), example, dir, io.Discard); err == nil || !strings.Contains(err.Error(), dir+" is no file") {
		t.Errorf("a directory: %v", err)
	}
	if err := Build(t.Context(), example, filepath.Join(dir, "none", "job.so"), io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in no directory: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
