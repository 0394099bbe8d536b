package source

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Tool is the go tool.
type Tool struct {
	Path string
	Env  []string // as NAME=value, on top of this process's environment
}

// ErrNoGo means that there is no go tool to build with.
var ErrNoGo = errors.New("the go tool is needed to build a job, and is not in PATH: install Go from https://go.dev/dl")

// FindTool finds the go tool, also where Go is installed but not in PATH.
func FindTool() (*Tool, error) {
	if path, err := exec.LookPath("go"); err == nil {
		return &Tool{Path: path}, nil
	}
	for _, root := range []string{os.Getenv("GOROOT"), "/usr/local/go"} {
		if path, err := exec.LookPath(filepath.Join(root, "bin", "go")); root != "" && err == nil {
			return &Tool{Path: path}, nil
		}
	}
	return nil, ErrNoGo
}

// stopWait is how long the go tool may take to clean up once it is interrupted.
const stopWait = 5 * time.Second

// Run runs the go tool in a directory, none being the current one, and returns what it prints. Its error is what the tool
// says.
func (t *Tool) Run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, t.Path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &messages
	cmd.Env = append(cmd.Environ(), t.Env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopWait
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if text := strings.TrimSpace(messages.String()); err != nil && text != "" {
		return nil, errors.New(text)
	}
	return out.Bytes(), err
}
