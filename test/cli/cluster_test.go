package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// stopCluster stops the cluster that a script may have left behind.
func stopCluster(e *testscript.Env) func() {
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "fletch"), "cluster", "down")
		cmd.Env = e.Vars
		if out, err := cmd.CombinedOutput(); err != nil {
			e.T().Log(string(out))
			e.T().Fatal("the script's cluster could not be stopped: ", err)
		}
	}
}

// latestJob is the command
//
//	latest NAME
//
// which sets the variable NAME to the ID of the latest job, and NAME_SHORT to the beginning of it.
func latestJob(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: latest NAME")
	}
	var jobs []struct{ ID string }
	ask(ts, &jobs, "job", "list", "--json", "--limit", "1")
	ts.Setenv(args[0], jobs[0].ID)
	ts.Setenv(args[0]+"_SHORT", jobs[0].ID[:len(jobs[0].ID)-2])
}

// clusterLeader is the command
//
//	leader NAME
//
// which sets the variable NAME to the address of the master that leads, and NAME_FOLLOWER to the ID of one that does not.
func clusterLeader(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: leader NAME")
	}
	var status struct {
		Masters []struct {
			ID, Address string
			Leader      bool
		}
	}
	ask(ts, &status, "cluster", "status", "--json")
	for _, m := range status.Masters {
		if m.Leader {
			ts.Setenv(args[0], m.Address)
		} else {
			ts.Setenv(args[0]+"_FOLLOWER", m.ID)
		}
	}
}

// ask reads what fletch prints as JSON.
func ask(ts *testscript.TestScript, answer any, args ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "fletch"), args...)
	cmd.Env = []string{"XDG_STATE_HOME=" + ts.Getenv("XDG_STATE_HOME"), "HOME=" + ts.MkAbs(".")}
	out, err := cmd.Output()
	ts.Check(err)
	ts.Check(json.Unmarshal(out, answer))
}

// interruptFletch is the command
//
//	interrupt CODE ARGUMENT...
//
// which runs fletch with a job that does not end, presses Ctrl-C once its first stage has started, and wants fletch to end
// with CODE. error looks at what it printed.
func interruptFletch(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: interrupt CODE ARGUMENT...")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience) // a job may have to be built first
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "fletch"), args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(ts.Value(environment{}).([]string), "XDG_STATE_HOME="+ts.Getenv("XDG_STATE_HOME"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = patience
	r, w, err := os.Pipe()
	ts.Check(err)
	cmd.Stdout, cmd.Stderr = ts.Stdout(), w
	ts.Check(cmd.Start())
	ts.Check(w.Close())
	stderr := bufio.NewReader(r)
	var printed strings.Builder
	for !strings.Contains(printed.String(), "stage 0 started") {
		line, err := stderr.ReadString('\n')
		printed.WriteString(line)
		if err != nil {
			ts.Fatalf("the job did not start\n%s", printed.String())
		}
	}
	ts.Check(cmd.Process.Signal(os.Interrupt))
	began := time.Now()
	_, copyErr := io.Copy(&printed, stderr)
	err = cmd.Wait()
	_, writeErr := io.WriteString(ts.Stderr(), printed.String())
	ts.Check(copyErr)
	ts.Check(writeErr)
	ts.Check(r.Close())
	if time.Since(began) > patience {
		ts.Fatalf("it took %v to end", time.Since(began))
	}
	ts.Logf("%v", err)
	wantCode(ts, args[0], cmd.ProcessState.ExitCode())
}
