package plugins

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fletch/fault"
)

// fitting returns the plugin and what a program that it fits was built of.
func fitting(t *testing.T) (plugin []byte, this *Build, sources map[string]string) {
	t.Helper()
	o, err := wordcount()
	if err != nil {
		t.Fatal(err)
	}
	sources = map[string]string{"fletch/engine": "e1", "fletch/local": "l1", "fletch/format/jsonio": "j1"}
	this = &Build{Go: o.build.Go, Settings: maps.Clone(o.build.Settings), Modules: maps.Clone(o.build.Modules), Root: "/fletch", ModuleCache: "/mod"}
	m := Manifest{Package: "fletch/examples/wordcount", Root: "/fletch", ModuleCache: "/mod", Sources: map[string]string{"fletch/engine": "e1", "fletch/local": "l1"}}
	return o.with(t, m), this, sources
}

func write(t *testing.T, text []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "job.so")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPreflight(t *testing.T) {
	plugin, this, sources := fitting(t)
	// What the program has and the plugin has not doesn't matter.
	this.Modules["example.com/more"] = "v1"
	for _, sum := range []string{"", sumOf(plugin)} {
		m, err := preflight(write(t, plugin), sum, this, sources, false)
		if err != nil {
			t.Fatal(err)
		}
		if m.Package != "fletch/examples/wordcount" {
			t.Errorf("the manifest is of %q", m.Package)
		}
	}
}

// TestTrusted checks that a file whose SHA-256 is known is not read again, and that all else is looked at.
func TestTrusted(t *testing.T) {
	plugin, this, sources := fitting(t)
	flipped := bytes.Clone(plugin)
	flipped[len(plugin)/3] ^= 1
	if _, err := preflight(write(t, flipped), "", this, sources, true); err != nil {
		t.Errorf("trusted: %v", err)
	}
	if _, err := preflight(write(t, flipped), "", this, sources, false); !errors.Is(err, ErrDamaged) {
		t.Errorf("not trusted: %v", err)
	}
	if _, err := preflight(write(t, plugin[:len(plugin)/2]), "", this, sources, true); !errors.Is(err, ErrDamaged) {
		t.Errorf("cut off: %v", err)
	}
	this.Go = "go1.0"
	if _, err := preflight(write(t, plugin), "", this, sources, true); err == nil || !strings.Contains(err.Error(), "go1.0") {
		t.Errorf("another Go: %v", err)
	}
}

// TestPreflightOfThisProgram sees that the exported function compares with the program itself.
func TestPreflightOfThisProgram(t *testing.T) {
	plugin, _, _ := fitting(t)
	_, err := Preflight(write(t, plugin), "")
	if mismatch, ok := errors.AsType[*Mismatch](err); !ok || !strings.Contains(mismatch.Error(), "the sources of fletch/engine, fletch/local are others") {
		t.Errorf("error %v, want one about the sources", err)
	}
}

// TestBuiltOtherwise has a line for each way in which plugin and program may differ.
func TestBuiltOtherwise(t *testing.T) {
	const arrow = "github.com/apache/arrow/go/v15"
	o, err := wordcount()
	if err != nil {
		t.Fatal(err)
	}
	set := func(key, value string) func(*Build, map[string]string) {
		return func(b *Build, _ map[string]string) { b.Settings[key] = value }
	}
	tests := []struct {
		name  string
		alter func(*Build, map[string]string)
		want  string
	}{
		{"Go", func(b *Build, _ map[string]string) { b.Go = "go1.26.1" }, "Go version: the plugin has " + o.build.Go + ", this fletch go1.26.1"},
		{"race", set("-race", "true"), "-race: the plugin has none, this fletch true"},
		{"trimpath", func(b *Build, _ map[string]string) {
			b.Settings["-trimpath"], b.Root, b.ModuleCache = "true", "", ""
		}, "-trimpath: the plugin has none, this fletch true"},
		{"tags", set("-tags", "noasm"), "-tags: the plugin has none, this fletch noasm"},
		{"gcflags", set("-gcflags", "all=-N -l"), "-gcflags: the plugin has none, this fletch all=-N -l"},
		{"experiment", set("GOEXPERIMENT", "arenas"), "GOEXPERIMENT: the plugin has none, this fletch arenas"},
		{"module", func(b *Build, _ map[string]string) { b.Modules[arrow] = "v15.0.1 h1:x" }, "module " + arrow + ": the plugin has " + o.build.Modules[arrow] + ", this fletch v15.0.1 h1:x"},
		{"directory", func(b *Build, _ map[string]string) { b.Root = "/other" }, "directory of fletch's sources: the plugin has /fletch, this fletch /other"},
		{"module cache", func(b *Build, _ map[string]string) { b.ModuleCache = "/home/mod" }, "module cache: the plugin has /mod, this fletch /home/mod"},
		{"sources", func(_ *Build, s map[string]string) { s["fletch/engine"] = "e2" }, "the sources of fletch/engine are others than those that this fletch was built of"},
		{"sources of several", func(_ *Build, s map[string]string) { clear(s) }, "the sources of fletch/engine, fletch/local are others"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plugin, this, sources := fitting(t)
			test.alter(this, sources)
			path := write(t, plugin)
			_, err := preflight(path, "", this, sources, false)
			mismatch, ok := errors.AsType[*Mismatch](err)
			if !ok || fault.ClassOf(err) != fault.Permanent || len(mismatch.Differences) != 1 {
				t.Fatalf("error %v (%v), want one difference", err, fault.ClassOf(err))
			}
			want := path + " does not fit this fletch: " + test.want
			if got := err.Error(); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "; build it again with this fletch: fletch build PKG -o FILE.so") {
				t.Errorf("error %q, want %q", got, want)
			}
		})
	}
}

func TestSeveralDifferences(t *testing.T) {
	plugin, this, sources := fitting(t)
	this.Go, this.Settings["-race"] = "go1.26.1", "true"
	clear(sources)
	path := write(t, plugin)
	_, err := preflight(path, "", this, sources, false)
	want := path + ` does not fit this fletch in 3 ways; build it again with this fletch: fletch build PKG -o FILE.so
	Go version: the plugin has ` + runtime.Version() + `, this fletch go1.26.1
	-race: the plugin has none, this fletch true
	the sources of fletch/engine, fletch/local are others than those that this fletch was built of`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestNoPlugin has a line for each kind of file that is no plugin, or not the one that is wanted.
func TestNoPlugin(t *testing.T) {
	plugin, _, _ := fitting(t)
	o, err := wordcount()
	if err != nil {
		t.Fatal(err)
	}
	alter := func(at int, b byte) []byte {
		out := bytes.Clone(plugin)
		out[at] = b
		return out
	}
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	const machine, kind = 18, 16 // offsets in the header
	other, number := "arm64", byte(elf.EM_AARCH64)
	if runtime.GOARCH == other {
		other, number = "amd64", byte(elf.EM_X86_64)
	}
	tests := []struct {
		name, sum string
		file      []byte
		want      string
		damaged   bool
	}{
		{"empty", "", nil, "it is no shared object", false},
		{"text", "", []byte("package main\n"), "it is no shared object", false},
		{"a few bytes", "", plugin[:20], "it ends within its first bytes", false},
		{"other architecture", "", alter(machine, number), "it is for " + other + ", this fletch for " + runtime.GOARCH, false},
		{"unknown architecture", "", alter(machine, byte(elf.EM_MIPS)), "it is for EM_MIPS, this fletch for " + runtime.GOARCH, false},
		{"32 bits", "", alter(4, 1), "it is for other machines (ELFCLASS32, ELFDATA2LSB)", false},
		{"object file", "", alter(kind, 1), "it is no shared object, as a plugin is, but of type ET_REL", false},
		{"program", "", program, "it is no shared object, as a plugin is, but of type ET_EXEC", false},
		{"no manifest", "", o.text, "there is no manifest at its end", false},
		{"cut within the manifest", "", plugin[:len(plugin)-1], "there is no manifest at its end", false},
		{"cut", "", plugin[:len(plugin)/2], "it is cut off after", true},
		{"appended to", "", append(bytes.Clone(plugin), 0), "there is no manifest at its end", false},
		{"flipped bit", "", alter(len(o.text)/2, o.text[len(o.text)/2]^1), "the SHA-256 of its shared object is", true},
		{"other plugin", sumOf(nil), plugin, "its SHA-256 is " + sumOf(plugin) + ", want " + sumOf(nil), true},
		{"flipped bit in the manifest", sumOf(plugin), alter(len(plugin)-40, 0), "its SHA-256 is", true},
		{"cut, where it is known", sumOf(plugin), plugin[:len(plugin)/2], "its SHA-256 is", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, this, sources := fitting(t)
			path := write(t, test.file)
			_, err := preflight(path, test.sum, this, sources, false)
			if err == nil || !strings.HasPrefix(err.Error(), path) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			wantClass := fault.Permanent
			if test.damaged {
				wantClass = fault.Retryable
			}
			if errors.Is(err, ErrDamaged) != test.damaged || fault.ClassOf(err) != wantClass {
				t.Errorf("error %v: damaged %t, class %v, want %t", err, errors.Is(err, ErrDamaged), fault.ClassOf(err), test.damaged)
			}
		})
	}
}

// TestProgram has a program that is a shared object, as those are that run at any address.
func TestProgram(t *testing.T) {
	o, err := wordcount()
	if err != nil {
		t.Fatal(err)
	}
	_, this, sources := fitting(t)
	mode := []byte("build\t-buildmode=plugin\n")
	if bytes.Count(o.text, mode) != 1 {
		t.Fatal("the plugin does not say how it was built")
	}
	o.text = bytes.Replace(o.text, mode, []byte("build\t-buildmode=pie123\n"), 1)
	_, err = preflight(write(t, o.with(t, Manifest{})), "", this, sources, false)
	if err == nil || !strings.Contains(err.Error(), "built with -buildmode=pie123, want -buildmode=plugin") {
		t.Errorf("error %v", err)
	}
}

func TestNoFile(t *testing.T) {
	_, this, sources := fitting(t)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.so")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large.so")
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, MaxBytes+1)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none.so"): "no such file or directory",
		dir:                           "it is no regular file",
		pipe:                          "it is no regular file",
		large:                         "it has 1073741825 bytes, more than a plugin may have (1073741824)",
	} {
		if _, err := preflight(path, "", this, sources, false); err == nil || !strings.Contains(err.Error(), want) || fault.ClassOf(err) != fault.Permanent {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}

func TestNoCgo(t *testing.T) {
	plugin, this, sources := fitting(t)
	this.Settings["CGO_ENABLED"] = "0"
	if _, err := preflight(write(t, plugin), "", this, sources, false); !errors.Is(err, ErrNoCgo) {
		t.Errorf("error %v, want %v", err, ErrNoCgo)
	}
}

// touching is a file that somebody writes to as soon as its end is read.
type touching struct {
	*os.File
	t *testing.T
}

func (f touching) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if err := os.Chtimes(f.Name(), time.Time{}, time.Now().Add(time.Hour)); err != nil {
		f.t.Error(err)
	}
	return n, err
}

func TestChanged(t *testing.T) {
	plugin, this, sources := fitting(t)
	path := write(t, plugin)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = unchanged(touching{f, t}, "", this, sources, false)
	if err == nil || !strings.Contains(err.Error(), "changed while it was being read") || fault.ClassOf(err) != fault.Retryable {
		t.Errorf("error %v", err)
	}
}

func TestSum(t *testing.T) {
	plugin, _, _ := fitting(t)
	path := write(t, plugin)
	sum, size, err := Sum(path)
	if err != nil || sum != sumOf(plugin) || size != int64(len(plugin)) {
		t.Errorf("%s, %d, %v", sum, size, err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// A file that has shrunk since its size was taken is not whole.
	if _, _, err := sums(f, 10, size+1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("sums of a file that has shrunk: %v", err)
	}
}
