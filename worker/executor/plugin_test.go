package executor

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"fletch/api"
	"fletch/engine/plan"
)

// built returns the program fletch, with the word count of the examples as a plugin.
func built(t *testing.T) (program, plugin string) {
	t.Helper()
	dir := t.TempDir()
	program, plugin = filepath.Join(dir, "fletch"), filepath.Join(dir, "wordcount.so")
	for _, args := range [][]string{
		{"go", "build", "-o", program, "fletch/cmd/fletch"},
		{program, "build", "-o", plugin, "../../examples/wordcount"},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return program, plugin
}

// TestPlugin runs a plugin in processes: its graph, then its attempts in an executor.
func TestPlugin(t *testing.T) {
	program, plugin := built(t)
	input, output := text(t), filepath.Join(t.TempDir(), "out")
	args := []string{"--input", input, "--output", output}
	var printed bytes.Buffer
	graph, err := Describe(t.Context(), DescribeConfig{Executable: program, Path: plugin, Args: args, Stderr: &printed})
	if err != nil || printed.Len() > 0 {
		t.Fatalf("describe: %v, printed is %q", err, printed.String())
	}
	if _, err := Describe(t.Context(), DescribeConfig{Executable: program, Path: plugin, SHA256: strings.Repeat("0", 64)}); err == nil ||
		!strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("a plugin of another digest gives %v", err)
	}

	w := planned(t, graph, args)
	w.stage(t)
	a, stream, files := listens(t)
	cmd := exec.Command(program, "executor", "serve")
	cmd.Stdout, cmd.Stderr = &printed, &printed
	cmd.ExtraFiles = []*os.File{inherit(t, stream), inherit(t, files)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range cmd.ExtraFiles {
		f.Close()
	}
	go func() { a.served <- cmd.Wait() }()
	next[*api.ExecutorMessage_Hello](a)
	if kB := resident(t, cmd.Process.Pid); kB > 64<<10 {
		t.Errorf("a warm spare has %d kB", kB)
	} else {
		t.Logf("a warm spare has %d kB", kB)
	}
	m := w.message()
	m.Plugin = plugin
	if err := a.load(m); err != nil {
		t.Fatal(err)
	}
	maps := a.startSplits(w)
	a.succeeded(len(maps))
	a.producers(&w.stages[1], 1, maps)
	a.reduce(w, 1)
	compare(t, content(t, output), embedded(t, input))
	a.start("again", plan.Task{Split: &w.splits[0]}, 0)
	if err := a.leave(); err != nil || printed.Len() > 0 {
		t.Errorf("the process ends with %v, printed is %q", err, printed.String())
	}
}

// inherit returns a socket for a child, and closes it here.
func inherit(t *testing.T, c *net.UnixConn) *os.File {
	t.Helper()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	return f
}

// resident returns the resident memory of a process.
func resident(t *testing.T, pid int) (kB int) {
	t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	if kB, err = strconv.Atoi(strings.Fields(rest)[0]); err != nil {
		t.Fatal(err)
	}
	return kB
}
