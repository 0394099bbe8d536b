package contest

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// input are the rows that the scripts below copy; they find them in $INPUT.
const input = "key,value\na,1\nb,2\n\"c,d\",3\n"

// script is a contestant that runs a shell script; the output's path is $0.
func script(name, text string) Contestant {
	return Contestant{Name: name, Program: "/bin/sh", Env: []string{"INPUT=" + input}, Args: func(output string) []string {
		return []string{"-c", text, output}
	}}
}

func newContest(t *testing.T, contestants ...Contestant) (Contest, *bytes.Buffer) {
	t.Helper()
	var progress bytes.Buffer
	return Contest{
		Name: "copy", Scratch: t.TempDir(), Rounds: 2, Timeout: time.Minute, Judge: &Rows{Header: []string{"key", "value"}},
		Contestants: contestants, Progress: &progress,
	}, &progress
}

const (
	inOneFile = `printf %s "$INPUT" > "$0"`
	inParts   = `mkdir "$0" && { echo key,value; printf %s "$INPUT" | tail -n 1; } > "$0/1.csv" && printf %s "$INPUT" | head -n 3 > "$0/2.csv" && touch "$0/_SUCCESS"`
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
		if s.Contestant != name || s.Wall <= 0 || s.CPU <= 0 || s.PeakBytes > 1<<30 {
			t.Errorf("score %d: %+v", i, s)
		}
	}
	if left, err := os.ReadDir(c.Scratch); err != nil || len(left) > 0 {
		t.Errorf("results are left behind: %v %v", left, err)
	}
}

func TestContestsThatFail(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"a count differs", `printf %s "$INPUT" | sed s/b,2/b,3/ > "$0"`, "lacks  b,2\nadds   b,3"},
		{"no rows at all", `: > "$0"`, "read header: EOF"},
		{"no result", `:`, "no such file"},
		{"an empty directory", `mkdir "$0"`, "no .csv files"},
		{"the program fails", `echo out of luck >&2; exit 3`, "exit status 3\nout of luck"},
		{"temporary files are left", inOneFile + `; touch "$TMPDIR/run-7"`, "temporary files behind: run-7"},
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

func TestARunThatHangsIsEndedWithItsChildren(t *testing.T) {
	c, _ := newContest(t, script("hangs", `cat /dev/zero & cat /dev/zero; :`))
	c.Timeout = 100 * time.Millisecond
	_, err := c.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "took longer than 100ms") {
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
