package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"fletch/report"
)

const (
	// patience is how long anything may take. Nothing takes that long unless it hangs.
	patience = 90 * time.Second
	// stuckAfter is how long an attempt may go without finishing a record, lostAfter how long a worker may be gone.
	stuckAfter = 6 * time.Second
	lostAfter  = 4 * time.Second
	// submitter is a variable that the tests' commands have and executors don't: by it a job knows where it is.
	submitter = "UNRULY_SUBMITTER"
)

// environment is that of the commands, and so of the clusters.
var environment []string

// process is a master or a worker.
type process struct {
	ID, Address string
	PID         int
}

// cluster is one that fletch cluster up has started.
type cluster struct {
	dir              string
	Cluster          string // its id
	Masters, Workers []process
}

// up starts the cluster in a directory, or what is missing of it.
func up(dir string, args ...string) (*cluster, error) {
	r, err := execute(nil, append([]string{"cluster", "up", "--json", "--dir", dir}, args...)...)
	if err == nil && r.code != 0 {
		err = fmt.Errorf("cluster up: exit code %d\n%s", r.code, r.stderr)
	}
	c := &cluster{dir: dir}
	return c, errors.Join(err, json.Unmarshal([]byte(r.stdout), c))
}

// down ends the cluster and deletes its data. Nothing of it is left, or that is an error.
func (c *cluster) down() error {
	r, err := execute(nil, "cluster", "down", "--delete", "--json", "--dir", c.dir)
	if err == nil && (r.code != 0 || !strings.Contains(r.stdout, `"killed": []`)) {
		err = fmt.Errorf("cluster down: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	errs := []error{err}
	if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, fmt.Errorf("%s is left (%v)", c.dir, err))
	}
	for _, p := range append(c.Masters, c.Workers...) {
		if conn, err := net.Dial("tcp", p.Address); err == nil {
			errs = append(errs, fmt.Errorf("somebody listens on %s of %s", p.Address, p.ID), conn.Close())
		}
	}
	for _, r := range processes() {
		if strings.Contains(r.command, c.dir+"/") || slices.ContainsFunc(c.Workers, func(w process) bool { return w.PID == r.parent }) {
			errs = append(errs, fmt.Errorf("process %d is left: %s", r.pid, r.command))
		}
	}
	return errors.Join(errs...)
}

// size is that of the clusters.
var size = []string{"--masters", "3", "--workers", "2", "--memory", "1GiB", "--slots", "8"}

// shared is the cluster of most tests, which break nothing but their own jobs.
var shared = sync.OnceValues(func() (*cluster, error) { return up(filepath.Join(temp, "shared"), size...) })

func stopShared() error {
	if _, err := os.Stat(filepath.Join(temp, "shared")); errors.Is(err, os.ErrNotExist) {
		return nil // no test has needed it
	}
	c, err := shared()
	return errors.Join(err, c.down())
}

func sharedCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := shared()
	must(t, err)
	return c
}

// ownCluster starts a cluster for one test.
func ownCluster(t *testing.T) *cluster {
	t.Helper()
	c, err := up(filepath.Join(t.TempDir(), "cluster"), size...)
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.logs())
		}
		must(t, c.down())
	})
	return c
}

// logs returns what the cluster's processes have printed.
func (c *cluster) logs() string {
	var all strings.Builder
	for _, p := range append(c.Masters, c.Workers...) {
		text, err := os.ReadFile(filepath.Join(c.dir, "logs", p.ID+".log"))
		fmt.Fprintf(&all, "%s: (%v)\n%s\n", p.ID, err, text)
	}
	return all.String()
}

func (c *cluster) addresses() string {
	var list []string
	for _, m := range c.Masters {
		list = append(list, m.Address)
	}
	return strings.Join(list, ",")
}

// result is what a command came to.
type result struct {
	code           int
	stdout, stderr string
}

func command(ctx context.Context, c *cluster, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = temp, environment
	if c != nil {
		cmd.Env = append(cmd.Env[:len(cmd.Env):len(cmd.Env)], "FLETCH_MASTER="+c.addresses())
	}
	cmd.WaitDelay = time.Second
	return cmd
}

// execute runs fletch, with a cluster or without.
func execute(c *cluster, args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := command(ctx, c, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if _, ended := errors.AsType[*exec.ExitError](err); ended && ctx.Err() == nil {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("fletch %s: %w\n%s", strings.Join(args, " "), err, r.stderr)
	}
	return r, err
}

// fletch runs fletch and wants an exit code.
func (c *cluster) fletch(t *testing.T, code int, args ...string) result {
	t.Helper()
	r, err := execute(c, args...)
	must(t, err)
	if r.code != code {
		t.Fatalf("fletch %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

// complains wants fletch to end with a code and a message.
func (c *cluster) complains(t *testing.T, code int, pattern string, args ...string) {
	t.Helper()
	if r := c.fletch(t, code, args...); !regexp.MustCompile(`(?s)\nerror: .*` + pattern).MatchString("\n" + r.stderr) {
		t.Errorf("fletch %s: no error that matches %q\n%s", strings.Join(args, " "), pattern, r.stderr)
	}
}

// detach submits a job and returns its ID.
func (c *cluster) detach(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(c.fletch(t, 0, append([]string{"submit", "--detach"}, args...)...).stdout)
}

// job returns how a job goes.
func (c *cluster) job(t *testing.T, id string) (j report.Job) {
	t.Helper()
	must(t, json.Unmarshal([]byte(c.fletch(t, 0, "job", "status", "--json", id).stdout), &j))
	return j
}

// eventually polls for what others bring about.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	late := time.After(patience)
	for !f() {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-late:
			t.Fatalf("after %v it is still not so that %s", patience, what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// running is a process of the program that was built for the tests.
type running struct {
	pid, parent int
	command     string
}

// processes returns those that there are, zombies aside.
func processes() (list []running) {
	names, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, name := range names {
		exe, err := os.Readlink(name)
		if err != nil || strings.TrimSuffix(exe, " (deleted)") != program {
			continue
		}
		dir := filepath.Dir(name)
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		text, cmdErr := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || cmdErr != nil {
			continue // it has ended meanwhile
		}
		pid, _ := strconv.Atoi(filepath.Base(dir))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		parent, _ := strconv.Atoi(fields[1])
		list = append(list, running{pid, parent, strings.ReplaceAll(string(text), "\x00", " ")})
	}
	return list
}

// executors returns the executors of a worker.
func (p *process) executors() (pids []int) {
	for _, r := range processes() {
		if r.parent == p.PID {
			pids = append(pids, r.pid)
		}
	}
	return pids
}

// kill ends processes without a warning, all at once, and waits until they are gone.
func kill(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		must(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	eventually(t, fmt.Sprintf("the processes %v are gone", pids), func() bool {
		return !slices.ContainsFunc(processes(), func(r running) bool { return slices.Contains(pids, r.pid) })
	})
}
