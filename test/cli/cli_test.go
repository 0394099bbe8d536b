// Package cli tests the command fletch as a user meets it: a built binary, real jobs, real signals and full disks.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts, where they compare files")

// bin is the directory of the built fletch; cache is where it keeps the jobs that it builds.
var bin, cache string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fletch-cli-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin, cache = filepath.Join(dir, "bin"), filepath.Join(dir, "cache")
	out, err := exec.Command("go", "build", "-o", bin+"/", "fletch/cmd/fletch").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build fletch: %v\n%s", err, out)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		os.RemoveAll(dir)
		os.Exit(code)
	}))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		UpdateScripts:       *update,
		Dir:                 "testdata/script",
		Setup:               setup,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fletch":   runFletch,
			"error":    oneError,
			"nothing":  nothingLeft,
			"compress": compress,
			"damage":   damage,
			"signal":   signalFletch,

			"latest":    latestJob,
			"leader":    clusterLeader,
			"interrupt": interruptFletch,
		},
	})
}

// setup gives a script the built fletch, the jobs, and directories that it can watch: intermediate data goes to spill,
// outputs to results.
func setup(e *testscript.Env) error {
	repository, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	for _, dir := range []string{"spill", "results"} {
		if err := os.Mkdir(filepath.Join(e.WorkDir, dir), 0o777); err != nil {
			return err
		}
	}
	e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
	e.Setenv("REPOSITORY", repository)
	e.Setenv("JOBS", filepath.Join(repository, "test", "cli", "testdata", "jobs"))
	e.Setenv("WORDCOUNT", filepath.Join(repository, "examples", "wordcount"))
	e.Setenv("FLETCH_TMP", filepath.Join(e.WorkDir, "spill"))
	e.Setenv("XDG_CACHE_HOME", cache)
	e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return err
		}
		e.Setenv(name, strings.TrimSpace(string(out)))
	}
	e.Values[environment{}] = e.Vars
	e.Defer(stopCluster(e))
	return nil
}

// runFletch is the command
//
//	fletch CODE ARGUMENT...
//
// which runs fletch and wants it to end with CODE; stdout, stderr and error look at what it printed.
func runFletch(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: fletch CODE ARGUMENT...")
	}
	code := 0
	if err := ts.Exec("fletch", args[1:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("fletch: %v", err)
		}
		code = exit.ExitCode()
	}
	wantCode(ts, args[0], code)
}

func wantCode(ts *testscript.TestScript, want string, code int) {
	if want != strconv.Itoa(code) {
		ts.Fatalf("fletch ended with exit code %d, want %s\n%s", code, want, ts.ReadFile("stderr"))
	}
}

// oneError is the command
//
//	error PATTERN
//
// which wants one line of stderr to begin with "error: " and to match PATTERN behind that.
func oneError(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: error PATTERN")
	}
	var found []string
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		if text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "error: "); ok {
			found = append(found, text)
		}
	}
	if len(found) != 1 || !regexp.MustCompile(args[0]).MatchString(found[0]) {
		ts.Fatalf("errors %q, want one that matches %q\n%s", found, args[0], ts.ReadFile("stderr"))
	}
}

// nothingLeft is the command
//
//	nothing [but NAME...]
//
// which wants spill to be empty, and results but for those names.
func nothingLeft(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) > 0 && args[0] != "but" {
		ts.Fatalf("usage: nothing [but NAME...]")
	}
	for _, dir := range []string{"spill", "results"} {
		entries, err := os.ReadDir(ts.MkAbs(dir))
		ts.Check(err)
		for _, e := range entries {
			if dir != "results" || !slices.Contains(args, e.Name()) {
				ts.Fatalf("%s is left", filepath.Join(dir, e.Name()))
			}
		}
	}
}
