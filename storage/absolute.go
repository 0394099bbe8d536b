package storage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fletch/engine/plan"
)

// Absolute makes a name independent of the working directory. A URL stays as it is.
func Absolute(name string) (string, error) {
	if isAbsolute(name) {
		return name, nil
	}
	return filepath.Abs(name)
}

// AbsoluteOutputs makes the paths of a graph's sinks independent of the working directory. URLs stay as they are.
func AbsoluteOutputs(g *plan.Graph) error {
	for i := range g.Nodes {
		sink := g.Nodes[i].Sink
		if sink == nil || strings.HasPrefix(sink.Path, memScheme) {
			continue
		}
		path, err := Absolute(sink.Path)
		if err != nil {
			return fmt.Errorf("output %s: %w", sink.Path, err)
		}
		moved := *sink // the job that described itself keeps its own
		moved.Path = path
		g.Nodes[i].Sink = &moved
	}
	return nil
}

// AbsoluteInputs makes the patterns of a graph's sources independent of the working directory: what List finds by the new
// ones there, or anywhere else, is what it finds by the old ones here. URLs stay as they are.
func AbsoluteInputs(g *plan.Graph) error {
	for i := range g.Nodes {
		source := g.Nodes[i].Source
		if source == nil || !slices.ContainsFunc(source.Patterns, isRelative) {
			continue
		}
		moved := *source
		moved.Patterns = slices.Clone(source.Patterns)
		for k, pattern := range moved.Patterns {
			if !isRelative(pattern) {
				continue
			}
			dir, err := os.Getwd()
			if err != nil {
				return fmt.Errorf("input %s: %w", pattern, err)
			}
			moved.Patterns[k] = below(dir, pattern)
		}
		g.Nodes[i].Source = &moved
	}
	return nil
}

func isRelative(name string) bool { return !isAbsolute(name) }

// isAbsolute reports whether a name means the same in every working directory. One without a name means nothing.
func isAbsolute(name string) bool {
	return name == "" || filepath.IsAbs(name) || schemeOf(name) != ""
}

// below returns a relative pattern as one below a directory. Where the pattern is a glob, the directory's name must not
// become a part of it.
func below(dir, pattern string) string {
	path := filepath.Join(dir, pattern)
	if _, err := os.Lstat(path); err == nil || !isGlob(pattern) {
		return path
	}
	// Going up is done here, while it is clear how much of the path is the directory's.
	for pattern = filepath.Clean(pattern); strings.HasPrefix(pattern, "../"); pattern = pattern[len("../"):] {
		dir = filepath.Dir(dir)
	}
	return filepath.Join(escapeGlob.Replace(dir), pattern)
}

var escapeGlob = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `{`, `\{`, `}`, `\}`)

// isGlob reports whether a name that no file has may be a glob.
func isGlob(path string) bool { return strings.ContainsAny(path, `*?[{\`) }
