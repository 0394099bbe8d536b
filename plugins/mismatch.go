package plugins

import (
	"debug/buildinfo"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Mismatch is the error of a plugin that this program can't open.
type Mismatch struct {
	Path        string
	Differences []string // a sentence each: what the plugin has and what this program
}

func mismatchf(format string, args ...any) *Mismatch {
	return &Mismatch{Differences: []string{fmt.Errorf(format, args...).Error()}}
}

// Error says on one line that the plugin doesn't fit, then what differs, then what to do.
func (m *Mismatch) Error() string {
	const mend = "build it again with this fletch: fletch build PKG -o FILE.so"
	if len(m.Differences) == 1 {
		return fmt.Sprintf("%s does not fit this fletch: %s; %s", m.Path, m.Differences[0], mend)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s does not fit this fletch in %d ways; %s", m.Path, len(m.Differences), mend)
	for _, d := range m.Differences {
		text.WriteString("\n\t" + d)
	}
	return text.String()
}

// differences lists what keeps a program from opening a plugin.
func differences(m *Manifest, info *buildinfo.BuildInfo, this *Build, sources map[string]string) []string {
	plugin := buildOf(info)
	if mode := setting(info, "-buildmode"); mode != "plugin" {
		return []string{fmt.Sprintf("it was built with -buildmode=%s, want -buildmode=plugin", mode)}
	}
	var lines []string
	differ := func(what, plugins, ours string) {
		if plugins != ours {
			lines = append(lines, fmt.Sprintf("%s: the plugin has %s, this fletch %s", what, orNone(plugins), orNone(ours)))
		}
	}
	differ("Go version", plugin.Go, this.Go)
	for _, key := range compared {
		differ(key, plugin.Settings[key], this.Settings[key])
	}
	if plugin.Settings["-trimpath"] == this.Settings["-trimpath"] {
		differ("directory of fletch's sources", m.Root, this.Root)
		differ("module cache", m.ModuleCache, this.ModuleCache)
	}
	for _, path := range slices.Sorted(maps.Keys(plugin.Modules)) {
		if ours, ok := this.Modules[path]; ok { // a module of the plugin alone is its own affair
			differ("module "+path, plugin.Modules[path], ours)
		}
	}
	return append(lines, changed(m.Sources, sources)...)
}

// changed says which shared packages have other sources.
func changed(plugin, ours map[string]string) []string {
	var names []string
	for _, path := range slices.Sorted(maps.Keys(plugin)) {
		if plugin[path] != ours[path] {
			names = append(names, path)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{"the sources of " + strings.Join(names, ", ") + " are others than those that this fletch was built of"}
}

func setting(info *buildinfo.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
