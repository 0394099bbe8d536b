package cluster

import (
	"bufio"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestDetach presses Ctrl-C at a submit, comes back as that says, reads what the job logs, runs out of time, and cancels.
func TestDetach(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := command(ctx, c, "submit", plugin(t, "unruly"), "--wait", dir+"/free", "--output", dir+"/out")
	pipe, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	var printed strings.Builder
	for lines := bufio.NewReader(pipe); ; {
		line, err := lines.ReadString('\n')
		printed.WriteString(line)
		if strings.HasPrefix(line, "stage 0 started") {
			must(t, cmd.Process.Signal(syscall.SIGINT))
		}
		if err == io.EOF {
			break
		}
		must(t, err)
	}
	cmd.Wait()
	back := regexp.MustCompile(`(?m)^fletch (job wait (unruly-\S+)) +comes back to it$`).FindStringSubmatch(printed.String())
	if code := cmd.ProcessState.ExitCode(); code != 130 || back == nil {
		t.Fatalf("exit code %d\n%s", code, printed.String())
	}
	id := back[2]
	c.complains(t, 4, `the job goes on`, "job", "wait", "--quiet", "--timeout", "300ms", id)

	// The four splits that don't wait have logged a line each, and so have the others.
	logged := regexp.MustCompile(`(?m)^` + id + `_0\.0_([0-7])_\d+\.\d+ INFO split .*number=([0-7])`)
	eventually(t, "all tasks have logged", func() bool {
		found := map[string]bool{}
		for _, m := range logged.FindAllStringSubmatch(c.fletch(t, 0, "job", "logs", id).stdout, -1) {
			found[m[1]+m[2]] = m[1] == m[2]
		}
		return len(found) == 8
	})

	type outcome struct {
		result
		err error
	}
	waiter := make(chan outcome, 1)
	go func() {
		r, err := execute(c, strings.Fields(back[1])...)
		waiter <- outcome{r, err}
	}()
	eventually(t, "the job is half done", func() bool { return halfDone(c.job(t, id)) })
	c.fletch(t, 0, "job", "cancel", id)
	r := <-waiter
	must(t, r.err)
	if r.code != 5 || !strings.Contains(r.stderr, "was cancelled") {
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v is left, %v", entries, err)
	}

	id = c.detach(t, plugin(t, "unruly"), "--wait", dir+"/free", "--output", dir+"/out")
	must(t, os.WriteFile(dir+"/free", nil, 0o600))
	c.fletch(t, 0, "job", "wait", "--quiet", id)
	wantDigits(t, dir+"/out")
}
