package report

import (
	"os"
	"testing"
)

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		variables      map[string]string
		color, unicode bool
	}{
		{nil, true, false},
		{map[string]string{"LANG": "C.UTF-8"}, true, true},
		{map[string]string{"LANG": "de_DE.utf8"}, true, true},
		{map[string]string{"LANG": "C.UTF-8", "LC_CTYPE": "C"}, true, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, true, true},
		{map[string]string{"LANG": "C.UTF-8", "LC_CTYPE": "C.UTF-8", "LC_ALL": "POSIX"}, true, false},
		{map[string]string{"NO_COLOR": "1"}, false, false},
	} {
		d := environment(func(name string) string { return c.variables[name] })
		if d.Color != c.color || d.Unicode != c.unicode {
			t.Errorf("%v: color %t, Unicode %t", c.variables, d.Color, d.Unicode)
		}
	}
}

func TestFileIsNoTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	f, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if DisplayOf(f).Size != nil {
		t.Error("a file was taken for a terminal")
	}
}
