package contest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// script is a contestant that runs a shell script; the input's path is $0, the output's $1.
func script(name, text string) Contestant {
	return Contestant{Name: name, Program: "/bin/sh", Args: func(input, output string) []string {
		return []string{"-c", text, input, output}
	}}
}

func newContest(t *testing.T, contestants ...Contestant) (Contest, *bytes.Buffer) {
	t.Helper()
	input := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(input, []byte("key,value\na,1\nb,2\n\"c,d\",3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var progress bytes.Buffer
	return Contest{
		Name: "copy", Input: input, Scratch: t.TempDir(), Rounds: 2, Timeout: time.Minute,
		Contestants: contestants, Progress: &progress,
	}, &progress
}

const (
	inOneFile = `cat "$0" > "$1"`
	inParts   = `mkdir "$1" && { echo key,value; tail -n 1 "$0"; } > "$1/1.csv" && head -n 3 "$0" > "$1/2.csv" && touch "$1/_SUCCESS"`
)

func TestContestantsRunInTurn(t *testing.T) {
	c, progress := newContest(t, script("file", inOneFile), script("parts", inParts))
	scores, err := c.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	times := regexp.MustCompile(`\b[0-9.]+m?s\b`)
	want := "copy: round 0 of 2: file T parts T\ncopy: round 1 of 2: file T parts T\ncopy: round 2 of 2: file T parts T\n"
	if got := times.ReplaceAllString(progress.String(), "T"); got != want {
		t.Errorf("progress:\n%swant:\n%s", got, want)
	}
	for i, name := range []string{"file", "parts"} {
		s := scores[i]
		if s.Contestant != name || s.Wall <= 0 || s.CPU <= 0 || s.PeakBytes < 100<<10 || s.PeakBytes > 1<<30 {
			t.Errorf("score %d: %+v", i, s)
		}
	}
	if left, err := os.ReadDir(c.Scratch); err != nil || len(left) > 0 {
		t.Errorf("results are left behind: %v %v", left, err)
	}
}

func TestContestsThatFail(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"a count differs", `sed s/b,2/b,3/ "$0" > "$1"`, "lacks  b,2\nadds   b,3"},
		{"a row is missing", `grep -v b,2 "$0" > "$1"`, "in 1 rows:\nlacks  b,2"},
		{"a row stands twice", `cat "$0" > "$1"; echo a,1 >> "$1"`, "adds   a,1"},
		{"a comma moves", `sed 's/"c,d",3/c,"d,3"/' "$0" > "$1"`, "differs"},
		{"no header", `tail -n 3 "$0" > "$1"`, `header is "a,1"`},
		{"no rows at all", `: > "$1"`, "read header: EOF"},
		{"no result", `:`, "no such file"},
		{"an empty directory", `mkdir "$1"`, "no CSV files"},
		{"the program fails", `echo out of luck >&2; exit 3`, "exit status 3\nout of luck"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, _ := newContest(t, script("good", inOneFile), script("bad", test.script))
			_, err := c.Run(context.Background())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "copy: bad: ") {
				t.Errorf("error %v\nwant one with %q", err, test.want)
			}
		})
	}
}

func TestARunThatHangsIsEnded(t *testing.T) {
	c, _ := newContest(t, Contestant{Name: "hangs", Program: "/bin/cat", Args: func(string, string) []string { return []string{"/dev/zero"} }})
	c.Timeout = time.Millisecond
	_, err := c.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "took longer than 1ms") {
		t.Errorf("error %v", err)
	}
}

func TestMedian(t *testing.T) {
	if got := median([]time.Duration{9, 1, 4}); got != 4 {
		t.Errorf("median of three: %d", got)
	}
	if got := median([]time.Duration{9, 1, 4, 6}); got != 5 {
		t.Errorf("median of four: %d", got)
	}
}
