package build

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"fletch/plugins"
	"fletch/plugins/source"
)

// Tool finds the go tool that fits this program.
func Tool(ctx context.Context) (*source.Tool, error) {
	this, err := plugins.ThisBuild()
	if err != nil {
		return nil, err
	}
	return findTool(ctx, this)
}

// findTool finds the go tool of the version that this program was built with, and sets it up to compile as this program was
// compiled, whatever the user's own settings are.
func findTool(ctx context.Context, this *plugins.Build) (*source.Tool, error) {
	if this.Settings["CGO_ENABLED"] != "1" {
		return nil, plugins.ErrNoCgo
	}
	if this.Root != "" && this.ModuleCache == "" {
		return nil, errors.New("this fletch was built with vendor/, and no plugin fits it: build it with go build -mod=readonly ./cmd/fletch")
	}
	tool, err := source.FindTool()
	if err != nil {
		return nil, err
	}
	version, _, _ := strings.Cut(this.Go, " ") // experiments follow
	tool.Env = environment(this, version)
	out, err := tool.Run(ctx, "/", "env", "GOVERSION")
	if ctx.Err() != nil {
		return nil, err
	}
	found := strings.TrimSpace(string(out))
	if err == nil && found != this.Go && found != version {
		err = fmt.Errorf("it is %s", found)
	}
	if err != nil {
		return nil, fmt.Errorf("this fletch was built with %s, and a job needs the same: %s can't be that: %w", this.Go, tool.Path, err)
	}
	return tool, nil
}

var release = regexp.MustCompile(`^go1\.\d+(\.\d+|rc\d+|beta\d+)?$`)

// environment returns the variables that decide how the go tool compiles.
func environment(this *plugins.Build, version string) []string {
	toolchain := "local"
	if release.MatchString(version) {
		toolchain = version
	}
	env := []string{
		"GOTOOLCHAIN=" + toolchain,
		"GO111MODULE=on",
		// It replaces the user's, which may have other flags. Modules come from the module cache, as this program's did, even
		// where there is a directory vendor. Without stamps the same source gives the same bytes.
		"GOFLAGS=-mod=readonly -buildvcs=false",
	}
	for _, key := range []string{"CGO_ENABLED", "GOOS", "GOARCH", "GOEXPERIMENT", "GOFIPS140"} {
		env = append(env, key+"="+this.Settings[key])
	}
	if this.ModuleCache != "" {
		env = append(env, "GOMODCACHE="+this.ModuleCache)
	}
	return env
}

// flags returns the flags of go build and go list that decide how a package is compiled.
func flags(this *plugins.Build) []string {
	var flags []string
	for _, key := range []string{"-race", "-msan", "-asan", "-trimpath", "-tags", "-gcflags", "-asmflags", "-pgo"} {
		if value := this.Settings[key]; value != "" {
			flags = append(flags, key+"="+value)
		}
	}
	return flags
}
