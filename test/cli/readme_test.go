package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme runs what the README tells a new user to copy, with another place for what comes out.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## On a cluster\n")
	_, block, _ := strings.Cut(section, "\n```\n")
	block, _, _ = strings.Cut(block, "```")
	if !ok || !strings.HasPrefix(block, "make build\n./fletch cluster up\n") {
		t.Fatalf("the README has no block that begins a cluster, but %q", block)
	}
	dir := t.TempDir()
	commands := strings.NewReplacer("make build\n", "", "./fletch ", bin+"/fletch ", "/tmp/", dir+"/").Replace(block)
	run := func(script string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 15*patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Join(dir, "state"), "XDG_CACHE_HOME="+cache)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run(commands)
	if err != nil {
		down, downErr := run(bin + "/fletch cluster down")
		t.Fatalf("%v\n%s\n%s (%v)", err, out, down, downErr)
	}
	counts, err := os.ReadFile(filepath.Join(dir, "counts-cluster", "part-00000.csv"))
	if err != nil || !strings.Contains(string(counts), "\nthe,369\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
