// Package cluster tests clusters of real processes: masters and workers that fletch cluster up starts, jobs as plugins, and
// what goes wrong with all of them.
package cluster

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// temp holds everything that the tests make, each cluster's directory as well; program is the fletch built for them.
var temp, program string

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for processes most of the time, so that more of them than there are cores go on at once.
	if err := errors.Join(flag.Set("test.parallel", "8"), setup()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := errors.Join(stopShared(), nothingLeft(), os.RemoveAll(temp)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}))
}

func setup() (err error) {
	if temp, err = os.MkdirTemp("", "fletch-cluster-"); err != nil {
		return err
	}
	for _, dir := range []string{"home", "tmp", "bin", "plugins"} {
		if err := os.Mkdir(filepath.Join(temp, dir), 0o700); err != nil {
			return err
		}
	}
	program = filepath.Join(temp, "bin", "fletch")
	if out, err := exec.Command("go", "build", "-o", program, "fletch/cmd/fletch").CombinedOutput(); err != nil {
		return fmt.Errorf("build fletch: %w\n%s", err, out)
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return err
		}
		environment = append(environment, name+"="+strings.TrimSpace(string(out)))
	}
	environment = append(environment,
		"PATH="+os.Getenv("PATH"), "HOME="+filepath.Join(temp, "home"), "TMPDIR="+filepath.Join(temp, "tmp"), submitter+"=1",
		"FLETCH_STUCK_AFTER="+stuckAfter.String(), "FLETCH_LOST_AFTER="+lostAfter.String())
	return nil
}

// nothingLeft wants no process of the program that was built, and none of its temporary files. It ends what there is.
func nothingLeft() error {
	var errs []error
	for _, p := range processes() {
		errs = append(errs, fmt.Errorf("process %d is left: %s", p.pid, p.command), syscall.Kill(p.pid, syscall.SIGKILL))
	}
	files, err := os.ReadDir(filepath.Join(temp, "tmp"))
	for _, f := range files {
		errs = append(errs, fmt.Errorf("temporary file %s is left", f.Name()))
	}
	return errors.Join(append(errs, err)...)
}
