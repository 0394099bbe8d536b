package open

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// limit is how long anything here may take; the first build compiles the standard library for plugins.
const limit = 5 * time.Minute

// run runs a command and returns what it prints.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// build builds a program or a plugin. A test binary can't open plugins: the program does.
func build(t *testing.T, args ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "built.so")
	if out, err := run(t, "go", append([]string{"build", "-race=false", "-cover=false", "-buildvcs=false", "-o", path}, args...)...); err != nil {
		t.Fatalf("go build %v: %v\n%s", args, err, out)
	}
	return path
}

func TestOpen(t *testing.T) {
	host := build(t, "./testdata/host")
	tests := []struct{ plugin, want string }{
		{"../../examples/wordcount", `^wordcount <nil>\n$`},
		{"./testdata/nojob", `^user: the plugin .* has no function Job: its package declares func Job\(args \[\]string\) \(\*engine.Job, error\)\n$`},
		{"./testdata/variable", `^user: the plugin .* has a Job of type map\[string\]int: want func\(args \[\]string\) \(\*engine.Job, error\)\n$`},
		{"./testdata/panics", `^user: the plugin's initialization: panic: runtime error: index out of range \[0\] with length 0\n` +
			`  .*\.first\n      .*/testdata/panics/main.go:9\n  .*\.init\.0\n      .*/testdata/panics/main.go:6\n$`},
		{"./testdata/exits", `^user: the plugin's initialization: a function init called runtime.Goexit\n$`},
	}
	for _, test := range tests {
		t.Run(filepath.Base(test.plugin), func(t *testing.T) {
			out, err := run(t, host, build(t, "-buildmode=plugin", test.plugin), "--input", "x", "--output", "y")
			if err != nil || !regexp.MustCompile(test.want).MatchString(out) {
				t.Errorf("%v, printed\n%swant %s", err, out, test.want)
			}
		})
	}
	t.Run("another version", func(t *testing.T) {
		out, err := run(t, host, build(t, "-buildmode=plugin", "-gcflags=fletch/fault=-l", "./testdata/version"))
		want := `^permanent: open the plugin .*: plugin was built with a different version of package fletch/fault; build it again with this fletch: fletch build PKG -o FILE.so\n$`
		if err != nil || !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%v, printed\n%swant %s", err, out, want)
		}
	})
}

// TestNoCgo has a program that can't open plugins.
func TestNoCgo(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	out, err := run(t, build(t, "./testdata/host"), "/dev/null")
	if err != nil || !strings.HasPrefix(out, "permanent: this fletch was built without cgo") {
		t.Errorf("%v, printed\n%s", err, out)
	}
}

// TestInterfaces builds a fletch that, instead of opening a plugin, lists the method tables that the runtime has made by
// then. For none of them may a plugin have a second one that the compiler made: see interfaces.
func TestInterfaces(t *testing.T) {
	temp := t.TempDir()
	text, err := os.ReadFile("open.go")
	if err != nil {
		t.Fatal(err)
	}
	const mark = "runtime.KeepAlive(interfaces)"
	if strings.Count(string(text), mark) != 1 {
		t.Fatalf("open.go has not one %q", mark)
	}
	listing := filepath.Join(temp, "open.go")
	if err := os.WriteFile(listing, []byte(strings.Replace(string(text), mark, mark+"; list()", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(temp, "overlay.json")
	files, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(here, "open.go"): listing,
		filepath.Join(here, "list.go"): filepath.Join(here, "testdata", "list.go.txt"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, files, 0o600); err != nil {
		t.Fatal(err)
	}
	fletch := build(t, "-overlay", overlay, "-ldflags=-checklinkname=0", "fletch/cmd/fletch")
	plugin := filepath.Join(temp, "wordcount.so")
	if out, err := run(t, fletch, "build", "../../examples/wordcount", "-o", plugin); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := run(t, fletch, "executor", "run", plugin, "--")
	if err != nil || !strings.Contains(out, " as ") {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(out) {
		concrete, inter, _ := strings.Cut(strings.TrimSpace(line), " as ")
		if nameable(concrete) && nameable(inter) {
			t.Errorf("a plugin does not recognise a %s in a %s: add the pair to interfaces", concrete, inter)
		}
	}
}

// exported is the name of a type that other packages can use: its package, then its name.
var exported = regexp.MustCompile(`^\*?(.+)\.([A-Z]\w*)$`)

// hostOnly are modules that no job shares with fletch.
var hostOnly = regexp.MustCompile(`^(google\.golang\.org/|github\.com/urfave/|github\.com/hashicorp/|github\.com/prometheus/)`)

// nameable reports whether a plugin's code may name a type.
func nameable(name string) bool {
	m := exported.FindStringSubmatch(name)
	return m != nil && !hostOnly.MatchString(m[1]) && !strings.Contains("/"+m[1]+"/", "/internal/")
}
