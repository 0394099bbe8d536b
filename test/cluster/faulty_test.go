package cluster

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fletch/report"
)

// TestCodeGoesWrong has functions of jobs do what no recover helps against, all at once. Only their jobs fail, with the
// reason and the place. A job that runs beside them on the same workers loses no attempt, nor does one whose last task
// takes longer than an attempt may that does nothing.
func TestCodeGoesWrong(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	unruly := plugin(t, "unruly")
	dir := t.TempDir()
	neighbour := c.detach(t, unruly, "--name", "neighbour", "--wait", dir+"/free", "--output", dir+"/neighbour")
	eventually(t, "the neighbour is half done", func() bool { return halfDone(c.job(t, neighbour)) })
	slow := c.detach(t, unruly, "--name", "slow", "--slow", (stuckAfter / 6).String(), "--output", dir+"/slow")

	const place = `.*unruly/main\.go:\d+`
	wrong := map[string]string{
		"error":    `Process \(unruly/main\.go:\d+\), at .*: I do not like this`,
		"panic":    `Process \(unruly/main\.go:\d+\), at .*: panic: I do not like this.*unruly\.act` + place,
		"exit":     `exited with code 3: does the job call os\.Exit or log\.Fatal\?.*"last words"`,
		"deep":     `(stack overflow|more than its share).*unruly\.deep` + place,
		"race":     `concurrent map writes.*unruly\.race` + place,
		"allocate": `the job used \d+ MiB on this worker, more than its share.*unruly\.allocate` + place,
		"block":    `no record was finished.*unruly\.act` + place,
		"spin":     `no record was finished.*unruly\.act` + place,
	}
	jobs := map[string]string{}
	for what := range wrong {
		jobs[what] = c.detach(t, unruly, "--name", what, "--do", what, "--output", dir+"/"+what)
	}
	for what, id := range jobs {
		r := c.fletch(t, 1, "job", "wait", "--quiet", id)
		if !regexp.MustCompile(`(?s)^error: .*` + wrong[what]).MatchString(r.stderr) {
			t.Errorf("%s: no error that matches %q\n%s", what, wrong[what], r.stderr)
		}
		if _, err := os.Stat(dir + "/" + what); err == nil {
			t.Errorf("%s: there is an output", what)
		}
	}

	if j := c.job(t, neighbour); j.State != report.Running || j.Stages[0].Completed != 4 {
		t.Errorf("the neighbour: %+v", j)
	}
	must(t, os.WriteFile(dir+"/free", nil, 0o600))
	c.fletch(t, 0, "job", "wait", "--quiet", neighbour)
	wantDigits(t, dir+"/neighbour")
	c.fletch(t, 0, "job", "wait", "--quiet", slow)
	wantDigits(t, dir+"/slow")
	for _, id := range []string{neighbour, slow} {
		for _, s := range c.job(t, id).Stages {
			if s.Attempts != s.Tasks {
				t.Errorf("%s: stage %d took %d attempts for %d tasks", id, s.ID, s.Attempts, s.Tasks)
			}
		}
	}
	for _, p := range append(c.Masters, c.Workers...) {
		healthy(t, p)
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		if e.Name() != "free" && e.Name() != "neighbour" && e.Name() != "slow" {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// halfDone tells whether an unruly job has done all that it can before it is let go.
func halfDone(j report.Job) bool {
	return len(j.Stages) > 0 && j.Stages[0].Tasks == 8 && j.Stages[0].Completed == 4 && j.Stages[0].Running == 4
}

// wantDigits wants the right output of an unruly job.
func wantDigits(t *testing.T, dir string) {
	t.Helper()
	var lines []string
	for _, text := range parts(t, dir) {
		lines = append(lines, strings.Fields(strings.TrimPrefix(string(text), "key,value\n"))...)
	}
	slices.Sort(lines)
	const want = "0,104858 1,104858 2,104858 3,104858 4,104858 5,104858 6,104857 7,104857 8,104857 9,104857" // 2^20 numbers
	if got := strings.Join(lines, " "); got != want {
		t.Errorf("%s holds %s", dir, got)
	}
}

// TestDeclarationGoesWrong has the function Job itself go wrong, where the job is submitted or not before it is on a worker.
func TestDeclarationGoesWrong(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	unruly := plugin(t, "unruly")
	dir := t.TempDir()
	input := dir + "/input"
	for i, test := range []struct {
		flags, want string
		code        int
	}{
		{"--here error", `I do not like this`, 2},
		{"--here panic", `panic: I do not like this.*unruly\.act.*unruly/main\.go:\d+`, 1},
		{"--here exit", `exit code 3: return an error instead of calling os\.Exit`, 1},
		{"--here spin", `did not return within 30s`, 1},
		{"--there error", `failed on this worker, as it did not where the job was submitted: I do not like this`, 1},
		{"--there panic", `failed on this worker.*panic: I do not like this`, 1},
		{"--there exit", `while it loaded the job.*exited with code 3.*os\.Exit`, 1},
		{"--there race", `while it loaded the job.*concurrent map writes.*unruly\.race.*unruly/main\.go:\d+`, 1},
		{"--there differ", `operator \d is Filter .* it was submitted as Process .* must build the same graph`, 1},
		{"--there vanish --input " + input, `/input`, 1},
		{"--sources 120", `more than 1000000 tasks, the limit`, 1},
	} {
		t.Run(test.flags, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(test.flags, input) {
				must(t, os.WriteFile(input, []byte("a line\n"), 0o600))
			}
			args := append([]string{"submit", "--quiet", unruly, "--output", fmt.Sprint(dir, "/", i)}, strings.Fields(test.flags)...)
			c.complains(t, test.code, test.want, args...)
		})
	}
}

// TestOutputExists has an output be there before a job begins, and before it ends.
func TestOutputExists(t *testing.T) {
	t.Parallel()
	c := sharedCluster(t)
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/out", []byte("mine"), 0o600))
	c.complains(t, 1, `/out.* exists`, "submit", "--quiet", plugin(t, "wordcount"), "--input", texts(t), "--output", dir+"/out")

	id := c.detach(t, plugin(t, "unruly"), "--wait", dir+"/free", "--output", dir+"/later")
	eventually(t, "the job is half done", func() bool { return halfDone(c.job(t, id)) })
	must(t, os.WriteFile(dir+"/later", []byte("mine"), 0o600))
	must(t, os.WriteFile(dir+"/free", nil, 0o600))
	c.complains(t, 1, `/later appeared while the job ran`, "job", "wait", "--quiet", id)
	for _, name := range []string{"/out", "/later"} {
		if text, err := os.ReadFile(dir + name); err != nil || string(text) != "mine" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
}
