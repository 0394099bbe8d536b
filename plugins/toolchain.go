package plugins

import (
	"errors"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"fletch"
)

// Build is how a program or a plugin was built.
type Build struct {
	Go       string            // the version of Go
	Settings map[string]string // those of compared that are set
	Modules  map[string]string // by path: the version and checksum of what is linked, and where it was replaced
	// Root and ModuleCache are as in Manifest.
	Root, ModuleCache string
}

// compared are the settings that have to agree: they change how the shared packages are compiled. GOAMD64, the linker's
// flags and those of C may differ.
var compared = []string{
	"-compiler", "-race", "-msan", "-asan", "-cover", "-trimpath", "-tags", "-gcflags", "-asmflags", "-pgo",
	"CGO_ENABLED", "GOOS", "GOARCH", "GOEXPERIMENT", "GOFIPS140",
}

// ThisBuild is how this program was built.
func ThisBuild() (*Build, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, errors.New("this fletch does not say how it was built: build it with go build ./cmd/fletch")
	}
	b := buildOf(info)
	if dir, ok := fletch.Dir(); ok {
		b.Root, b.ModuleCache = dir, moduleCache()
	}
	return b, nil
}

func buildOf(info *debug.BuildInfo) *Build {
	b := &Build{Go: info.GoVersion, Settings: map[string]string{}, Modules: map[string]string{}}
	for _, s := range info.Settings {
		for _, key := range compared {
			if s.Key == key {
				b.Settings[key] = s.Value
			}
		}
	}
	for _, m := range info.Deps {
		if m.Path != module { // its sources are compared instead
			b.Modules[m.Path] = versionOf(m)
		}
	}
	return b
}

func versionOf(m *debug.Module) string {
	version := strings.TrimSpace(m.Version + " " + m.Sum)
	if m.Replace != nil {
		version += " => " + m.Replace.Path + " " + versionOf(m.Replace)
	}
	return version
}

// moduleCache returns the directory that other modules were compiled in, seen by one that is always linked; empty if that
// is not a module cache, as with vendor.
func moduleCache() string {
	f := runtime.FuncForPC(reflect.ValueOf(unix.Flock).Pointer())
	if f == nil {
		return ""
	}
	file, _ := f.FileLine(f.Entry())
	dir, _, ok := strings.Cut(file, "/golang.org/x/sys@")
	if !ok || !filepath.IsAbs(dir) {
		return ""
	}
	return dir
}
