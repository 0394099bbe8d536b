package worker

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fletch/fault"
)

// The dumps in testdata are those of a program that calls the package example.com/words through functions named as the
// engine's, with GOTRACEBACK=crash.
func TestCause(t *testing.T) {
	const (
		aborted = syscall.WaitStatus(syscall.SIGABRT)
		killed  = syscall.WaitStatus(syscall.SIGKILL)
	)
	code := func(n int) syscall.WaitStatus { return syscall.WaitStatus(n << 8) }
	tests := []struct {
		name   string
		dump   string
		status syscall.WaitStatus
		last   string
		class  fault.Class
		cause  string
		frames string
	}{
		{"race on a map", "map", aborted, "", fault.User, "fatal error: concurrent map writes", "example.com/words.Count\n      example.com/words@v0.0.0/words.go:16\n"},
		{"endless recursion", "stack", aborted, "", fault.User, "fatal error: stack overflow", "example.com/words.Depth\n      example.com/words@v0.0.0/words.go:26\n  ... and so on"},
		{"panic of a goroutine", "panic", aborted, "", fault.User, "panic: assignment to entry in nil map", "example.com/words.Panic.func1\n"},
		{"panic, exit code", "panic", code(2), "", fault.User, "panic: assignment to entry in nil map", "example.com/words.Panic.func1\n"},
		{"wild pointer", "fault", aborted, "", fault.User, "fatal error: fault\n[signal SIGSEGV", "example.com/words.Fault\n"},
		{"out of memory", "oom", aborted, "", fault.User, "fatal error: out of memory", "example.com/words.Huge\n"},
		{"exit", "", code(3), "giving up", fault.User, `exited with code 3: does the job call os.Exit or log.Fatal? Return an error instead; its last output: "giving up"`, ""},
		{"exit with the runtime's code", "", code(2), "", fault.User, "exited with code 2", ""},
		{"exit after a panic that was recovered", "panic", code(1), "", fault.User, "exited with code 1", ""},
		{"killed", "", killed, "", fault.Retryable, "ended from outside, by signal 9 (killed)", ""},
		{"killed after a panic that was recovered", "panic", killed, "", fault.Retryable, "ended from outside", ""},
		{"abort without a dump", "", aborted, "", fault.User, "ended by signal 6", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := exit{status: test.status, last: test.last}
			if test.dump != "" {
				x.dump = readDump(t, test.dump)
			}
			cause, frames, class := x.cause()
			if class != test.class {
				t.Errorf("class %v, want %v", class, test.class)
			}
			if !strings.Contains(cause, test.cause) {
				t.Errorf("cause %q, want %q", cause, test.cause)
			}
			if !strings.Contains(frames, test.frames) || strings.Contains(frames, "fletch/engine") || strings.Contains(frames, "runtime.") {
				t.Errorf("frames:\n%s\nwant %q and no others' code", frames, test.frames)
			}
		})
	}
}

func TestCauseInTheEngine(t *testing.T) {
	x := exit{status: syscall.WaitStatus(syscall.SIGABRT), dump: strings.ReplaceAll(readDump(t, "map"), "example.com/words", "fletch/shuffle")}
	cause, _, class := x.cause()
	if class != fault.Retryable || !strings.Contains(cause, "in the engine") {
		t.Errorf("%v: %s", class, cause)
	}
}

// TestAtWork finds the function that never returns, whether it works or waits.
func TestAtWork(t *testing.T) {
	for name, want := range map[string]string{"loop": "example.com/words.Loop\n", "wait": "example.com/words.Wait\n"} {
		d := parseDump(readDump(t, name))
		if have := d.atWork(); !strings.HasPrefix(have, "  "+want) || strings.Count(have, "\n") > 4 {
			t.Errorf("%s:\n%s", name, have)
		}
	}
}

// readDump reads a dump as an executor's output.
func readDump(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "dumps", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var p printed
	p.read(strings.NewReader("something else\n"+string(b)), "stderr")
	return p.dump()
}

func FuzzParseDump(f *testing.F) {
	for _, name := range []string{"map", "stack", "loop"} {
		b, err := os.ReadFile(filepath.Join("testdata", "dumps", name+".txt"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	f.Add("goroutine 1\n\t\ngoroutine ")
	f.Fuzz(func(t *testing.T, text string) {
		d := parseDump(text)
		if n := len(d.atWork()) + len(d.culprit().frames); n > 2*len(text)+100 {
			t.Errorf("%d bytes of frames from %d", n, len(text))
		}
	})
}
