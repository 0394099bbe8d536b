package fletch

import (
	"encoding/json"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// linked is a package that go list names.
type linked struct {
	ImportPath string

	GoFiles                                                              []string
	CgoFiles, CFiles, CXXFiles, HFiles, SFiles, SysoFiles, EmbedPatterns []string
}

// TestSources sees that Sources holds what jobs link: the examples, and all formats.
func TestSources(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-json", "./examples/...", "./format/...", "./engine/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; found++ {
		var p linked
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		dir, ok := strings.CutPrefix(p.ImportPath, "fletch/")
		if !ok || strings.HasPrefix(dir, "examples/") || strings.HasSuffix(dir, "test") {
			continue // no job links what serves tests
		}
		if n := len(slices.Concat(p.CgoFiles, p.CFiles, p.CXXFiles, p.HFiles, p.SFiles, p.SysoFiles, p.EmbedPatterns)); n > 0 {
			t.Errorf("%s has %d files that are no plain Go: package plugins must hash them too", p.ImportPath, n)
		}
		for _, name := range p.GoFiles {
			if _, err := fs.Stat(Sources, path.Join(dir, name)); err != nil {
				t.Errorf("a job links %s: embed its package in Sources (%v)", p.ImportPath, err)
				break
			}
		}
	}
	if found < 100 {
		t.Errorf("go list names %d packages", found)
	}
}

func TestDir(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	if dir, ok := Dir(); !ok || dir != strings.TrimSpace(string(out)) {
		t.Errorf("Dir() = %q, %t, want %s", dir, ok, out)
	}
}
