// Package doctor checks what Fletch needs on a machine.
package doctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"fletch/internal/machine"
	"fletch/plugins"
	"fletch/plugins/build"
	"fletch/plugins/source"
)

// Level says how bad a finding is.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is the result of a check.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Text  string `json:"text"` // what was found; of what is not ok, what to do
}

// Check looks at one thing.
type Check struct {
	Name string
	Look func(ctx context.Context) (Level, string)
}

// checkWait is how long one check may take.
const checkWait = 15 * time.Second

// Run makes the checks, one after the other.
func Run(ctx context.Context, checks []Check) []Finding {
	findings := make([]Finding, 0, len(checks))
	for _, c := range checks {
		within, cancel := context.WithTimeout(ctx, checkWait)
		level, text := c.Look(within)
		cancel()
		findings = append(findings, Finding{c.Name, level, text})
	}
	return findings
}

// Checks returns all checks. The caller knows how to ask the cluster.
func Checks(cluster func(context.Context) (string, error)) []Check {
	return []Check{
		{"go", goTool}, {"cgo", cgo}, {"gcc", compiler}, {"sources", sources}, {"cache", cache},
		{"memory", memory}, {"cores", cores}, {"files", files},
		{"cluster", func(ctx context.Context) (Level, string) { return result(cluster(ctx)) }},
	}
}

func result(text string, err error) (Level, string) {
	if err != nil {
		return Fail, err.Error()
	}
	return OK, text
}

// goTool wants the version of Go that this program was built with: a job's plugin needs the same.
func goTool(ctx context.Context) (Level, string) {
	tool, err := source.FindTool()
	if err != nil {
		return Fail, err.Error()
	}
	want, _, _ := strings.Cut(runtime.Version(), " ") // experiments follow
	tool.Env = append(tool.Env, "GOTOOLCHAIN="+want)
	out, err := tool.Run(ctx, "/", "env", "GOVERSION")
	found := strings.TrimSpace(string(out))
	switch {
	case err != nil:
		return Fail, fmt.Sprintf("%s can't be %s, with which this fletch was built: %v", tool.Path, want, err)
	case found != want:
		return Fail, fmt.Sprintf("%s is %s, but this fletch was built with %s: install that, or build fletch anew", tool.Path, found, want)
	}
	return OK, found + " at " + tool.Path
}

func cgo(context.Context) (Level, string) {
	this, err := plugins.ThisBuild()
	if err != nil {
		return Fail, err.Error()
	}
	if this.Settings["CGO_ENABLED"] != "1" {
		return Fail, "this fletch was built without cgo and can't open plugins: build it with CGO_ENABLED=1"
	}
	return OK, "this fletch can open plugins"
}

func compiler(ctx context.Context) (Level, string) {
	name := os.Getenv("CC")
	if name == "" {
		name = "gcc"
	}
	out, err := exec.CommandContext(ctx, name, "--version").Output()
	if err != nil {
		return Fail, fmt.Sprintf("a job's plugin is linked by %s, which does not run here (%v): install it, or set CC", name, err)
	}
	first, _, _ := strings.Cut(string(out), "\n")
	return OK, first
}

// sources wants those that this program was built of, as jobs are built of them.
func sources(context.Context) (Level, string) {
	root, err := build.Root()
	if err != nil {
		return Fail, err.Error()
	}
	var differ []string
	for path, hash := range plugins.Shared() {
		if found, err := plugins.Hash(os.DirFS(root), path); err != nil || found != hash {
			differ = append(differ, path)
		}
	}
	if len(differ) > 0 {
		return Fail, fmt.Sprintf("%s has changed since this fletch was built (%d packages, such as %s): build fletch anew", root, len(differ), differ[0])
	}
	return OK, root
}

func cache(context.Context) (Level, string) {
	dir, err := os.UserCacheDir()
	if err == nil {
		dir = filepath.Join(dir, "fletch")
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return Fail, fmt.Sprintf("built jobs have no place: %v; set XDG_CACHE_HOME to a directory that can be written", err)
	}
	f, err := os.CreateTemp(dir, "doctor-")
	if err != nil {
		return Fail, fmt.Sprintf("built jobs have no place: %v; set XDG_CACHE_HOME to a directory that can be written", err)
	}
	_ = f.Close()           //nolint:errcheck // it is empty
	_ = os.Remove(f.Name()) //nolint:errcheck // it is empty
	return OK, dir
}

// The least with which work is no trouble.
const (
	goodMemory = 1 << 30
	goodFiles  = 4096
)

func memory(context.Context) (Level, string) {
	bytes := machine.Memory()
	text := fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	if bytes < goodMemory {
		return Warn, text + ": small jobs alone will run well"
	}
	return OK, text
}

func cores(context.Context) (Level, string) {
	n := runtime.GOMAXPROCS(0)
	if n == 1 {
		return Warn, "1: tasks run one after the other"
	}
	return OK, fmt.Sprint(n)
}

func files(context.Context) (Level, string) {
	n := machine.OpenFiles()
	if n < goodFiles {
		return Warn, fmt.Sprintf("a process may open %d files: raise it with ulimit -n %d, or LimitNOFILE= of its unit", n, goodFiles)
	}
	return OK, fmt.Sprintf("a process may open %d", n)
}
