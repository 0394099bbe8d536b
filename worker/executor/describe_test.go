package executor

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fletch/api"
	"fletch/engine"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/format/csvio"
	"fletch/format/textio"
)

// child is this program as the child of Describe. The plugins that it knows are the names in jobs.
func child(args []string) int {
	flags := flag.NewFlagSet("child", flag.ExitOnError)
	sha := flags.String("sha256", "", "")
	if args[0] != "describe" || flags.Parse(args[1:]) != nil || flags.Arg(1) != "--" {
		return 100
	}
	p := Plugin{
		Check: func(_, sha256 string) error {
			if sha256 == "bad" {
				return errors.New("the plugin has another digest")
			}
			return nil
		},
		Open: func(path string) (func([]string) (*engine.Job, error), error) {
			switch path {
			case "missing":
				return nil, errors.New("it has no function Job")
			case "init exits":
				os.Exit(7)
			}
			return jobs[path], nil
		},
	}
	unix.CloseOnExec(answerFD)
	if err := Answer(os.NewFile(answerFD, "answer"), p, flags.Arg(0), *sha, flags.Args()[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 102
	}
	return 0
}

var jobs = map[string]func(args []string) (*engine.Job, error){
	"counts": counts,
	"usage": func(args []string) (*engine.Job, error) {
		flags := flag.NewFlagSet("usage", flag.ContinueOnError)
		flags.String("input", "", "what to `read`")
		return nil, flags.Parse(args)
	},
	"loud": func(args []string) (*engine.Job, error) {
		fmt.Println("on stdout")
		fmt.Fprintln(os.Stderr, "on stderr")
		for range 3 << 10 {
			fmt.Println(strings.Repeat("x", 1023))
		}
		return counts(args)
	},
	"mistaken": func([]string) (*engine.Job, error) {
		job := engine.NewJob("mistaken")
		csvio.Write(engine.Range(job, 9, 1), "out")
		return job, nil
	},
	"panics":  func([]string) (*engine.Job, error) { panic("out of luck") },
	"goexit":  func([]string) (*engine.Job, error) { new(testing.T).FailNow(); return nil, nil },
	"nothing": func([]string) (*engine.Job, error) { return nil, nil },
	"exits":   func([]string) (*engine.Job, error) { os.Exit(3); return nil, nil },
	"leaves":  func([]string) (*engine.Job, error) { os.Exit(0); return nil, nil },
	"crashes": func([]string) (*engine.Job, error) {
		go func() { panic("apart") }()
		select {}
	},
	"killed": func([]string) (*engine.Job, error) {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	},
	"terminated": func([]string) (*engine.Job, error) {
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
		select {}
	},
	"hangs": func(args []string) (*engine.Job, error) {
		if len(args) > 0 {
			if err := os.WriteFile(args[0], []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
				return nil, err
			}
		}
		time.Sleep(time.Hour)
		return nil, nil
	},
	"hoards": func([]string) (*engine.Job, error) {
		var machine unix.Sysinfo_t
		if err := unix.Sysinfo(&machine); err != nil {
			return nil, err
		}
		hoard := make([]byte, max(machine.Totalram*3/5, 2<<30))
		return nil, fmt.Errorf("there was room for %d bytes", len(hoard))
	},
	"garbage": func([]string) (*engine.Job, error) {
		if _, err := unix.Write(answerFD, []byte("what is this")); err != nil {
			return nil, err
		}
		return nil, errors.New("an error")
	},
	// It starts a process that holds the pipes for long, and tells its number.
	"spawns": func(args []string) (*engine.Job, error) {
		cmd := exec.Command("sleep", "1000")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		if err := os.WriteFile(args[2], []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
			return nil, err
		}
		return counts(args)
	},
}

func describes(t *testing.T, plugin string, args ...string) (graph *plan.Graph, printed string, err error) {
	t.Helper()
	var out bytes.Buffer
	graph, err = Describe(t.Context(), DescribeConfig{Path: plugin, Args: args, Stderr: &out})
	return graph, out.String(), err
}

// TestDescribe asks for a graph and finds the paths absolute.
func TestDescribe(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	graph, printed, err := describes(t, "counts", "*.txt", "out")
	if err != nil {
		t.Fatal(err)
	}
	if in, out := graph.Nodes[0].Source.Patterns[0], graph.Nodes[len(graph.Nodes)-1].Sink.Path; in != dir+"/*.txt" || out != dir+"/out" {
		t.Errorf("it reads %s and writes %s", in, out)
	}
	if printed != "" {
		t.Errorf("printed is %q", printed)
	}
	job, err := counts([]string{"elsewhere", "elsewhere too"})
	if err != nil {
		t.Fatal(err)
	}
	want, err := job.Graph()
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Diff(want, graph); err != nil {
		t.Error(err)
	}
}

// TestDescribeFailures has the job's code go wrong in each way that it can.
func TestDescribeFailures(t *testing.T) {
	for _, c := range []struct {
		plugin, sha string
		class       fault.Class
		want        string
	}{
		{"missing", "", fault.Permanent, "it has no function Job"},
		{"counts", "bad", fault.Permanent, "another digest"},
		{"mistaken", "", fault.Permanent, "the range from 9 to 1 is not one"},
		{"init exits", "", fault.User, "the loading of the plugin, which runs its init functions, ended its process with exit code 7"},
		{"panics", "", fault.User, "Job: panic: out of luck"},
		{"goexit", "", fault.User, "runtime.Goexit"},
		{"nothing", "", fault.User, "neither a job nor an error"},
		{"exits", "", fault.User, "the function Job ended its process with exit code 3: return an error instead"},
		{"leaves", "", fault.User, "the function Job ended its process with exit code 0"},
		{"crashes", "", fault.User, "exit code 2: it crashed, as Go says above"},
		{"killed", "", fault.User, "was killed, as the kernel does when memory runs out"},
		{"terminated", "", fault.User, "was ended by a signal (terminated)"},
		{"hoards", "", fault.User, "ended its process with exit code"}, // another one under the race detector
		{"garbage", "", fault.User, "something else than a graph"},
	} {
		t.Run(c.plugin+c.sha, func(t *testing.T) {
			var out bytes.Buffer
			graph, err := Describe(t.Context(), DescribeConfig{Path: c.plugin, SHA256: c.sha, Args: []string{"a", "b"}, Stderr: &out})
			if graph != nil || err == nil || !strings.Contains(err.Error(), c.want) || fault.ClassOf(err) != c.class {
				t.Errorf("the error is %v of class %v, want %v: %s", err, fault.ClassOf(err), c.class, c.want)
			}
			if c.plugin == "panics" {
				framed, ok := errors.AsType[interface {
					error
					Frames() string
				}](err)
				if !ok || !strings.Contains(framed.Frames(), "describe_test.go") {
					t.Errorf("no frames in %v", err)
				}
			}
			if (c.plugin == "crashes" || c.plugin == "hoards") && out.Len() == 0 {
				t.Error("what Go says is missing")
			}
		})
	}
}

// TestDescribeUsage gives wrong arguments, and asks for help.
func TestDescribeUsage(t *testing.T) {
	_, printed, err := describes(t, "usage", "--output", "x")
	var usage *UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "flag provided but not defined: -output") || !strings.Contains(printed, "-input read") {
		t.Errorf("a wrong flag gives %v, printed is %q", err, printed)
	}
	_, printed, err = describes(t, "usage", "--help")
	if !errors.Is(err, flag.ErrHelp) || !strings.Contains(printed, "-input read") {
		t.Errorf("help gives %v, printed is %q", err, printed)
	}
}

// TestDescribePrints passes on what is printed, up to the limit.
func TestDescribePrints(t *testing.T) {
	_, printed, err := describes(t, "loud", "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(printed, "on stdout\non stderr\nxxx") || !strings.HasSuffix(printed, "the rest is left out)\n") ||
		len(printed) > printedBytes+100 {
		t.Errorf("%d bytes are passed on: %.40q ... %q", len(printed), printed, printed[max(0, len(printed)-80):])
	}
}

// TestDescribeEnds has no process left behind: of a function that hangs, of a caller that gives up, of a function that starts others.
func TestDescribeEnds(t *testing.T) {
	dir := t.TempDir()
	pid := filepath.Join(dir, "pid")
	_, err := Describe(t.Context(), DescribeConfig{Path: "hangs", Args: []string{pid}, Timeout: 500 * time.Millisecond})
	if err == nil || err.Error() != "the function Job did not return within 500ms" {
		t.Errorf("a hanging function gives %v", err)
	}
	vanished(t, pid)

	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		for {
			if b, err := os.ReadFile(pid + "2"); err == nil && len(b) > 0 {
				break
			}
		}
		cancel(errors.New("no patience"))
	}()
	if _, err := Describe(ctx, DescribeConfig{Path: "hangs", Args: []string{pid + "2"}}); err == nil || err.Error() != "no patience" {
		t.Errorf("a caller that gives up gets %v", err)
	}
	vanished(t, pid+"2")

	started := time.Now()
	if _, _, err := describes(t, "spawns", "a", "b", pid+"3"); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > patience {
		t.Errorf("a process that was left behind kept the caller for %v", took)
	}
	vanished(t, pid+"3")
}

// vanished checks that the process whose number is in a file is gone, or is about to be reaped by the system.
func vanished(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	for late := time.Now().Add(patience); time.Now().Before(late); {
		status, err := os.ReadFile("/proc/" + string(b) + "/stat")
		if err != nil || bytes.Contains(status, []byte(") Z ")) {
			return
		}
	}
	t.Errorf("process %s is still there", b)
}

// TestDescribeNobody has no program to start.
func TestDescribeNobody(t *testing.T) {
	if _, err := Describe(t.Context(), DescribeConfig{Executable: "/nonexistent", Path: "x"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the error is %v", err)
	}
}

// FuzzAnswer reads what a child may write: whatever it is, the outcome is an answer or an error.
func FuzzAnswer(f *testing.F) {
	var whole bytes.Buffer
	job := engine.NewJob("fuzz")
	textio.Write(textio.Read(job, "in"), "out")
	p := Plugin{Check: func(string, string) error { return nil }, Open: opens(func([]string) (*engine.Job, error) { return job, nil })}
	graph, err := describe(&whole, p, "", "", nil)
	if err == nil {
		err = writePart(&whole, partGraph, api.GraphOf(graph))
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole.Bytes())
	f.Add([]byte{partHelp, 0, 0, 0, 0})
	f.Add([]byte{partUsage, 2, 0, 0, 0, 8, 1})
	f.Add([]byte{partFailed, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseAnswer(b)
		if a.complete() && a.graph != nil && a.graph.Validate() != nil {
			t.Errorf("the graph is not valid, the error is %v", err)
		}
	})
}
