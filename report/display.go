package report

import (
	"os"
	"strings"

	"golang.org/x/term"
)

// Display says what progress is shown on. The zero Display is a plain file of ASCII text.
type Display struct {
	// Size returns the columns and rows of a terminal. It is asked before every write, as windows change. Nil: not a
	// terminal that can be redrawn.
	Size func() (columns, rows int)
	// Color allows colours on a terminal.
	Color bool
	// Unicode allows more than ASCII.
	Unicode bool
}

// DisplayOf finds out what f is, from f itself and from the variables TERM, NO_COLOR, LC_ALL, LC_CTYPE and LANG.
func DisplayOf(f *os.File) Display {
	d := environment(os.Getenv)
	if fd := int(f.Fd()); os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != "" && term.IsTerminal(fd) {
		d.Size = func() (columns, rows int) {
			columns, rows, err := term.GetSize(fd)
			if err != nil || columns <= 0 || rows <= 0 {
				return 80, 24
			}
			return columns, rows
		}
	}
	return d
}

func environment(get func(string) string) Display {
	locale := get("LC_ALL")
	for _, name := range []string{"LC_CTYPE", "LANG"} {
		if locale == "" {
			locale = get(name)
		}
	}
	locale = strings.ToLower(locale)
	return Display{
		Color:   get("NO_COLOR") == "",
		Unicode: strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8"),
	}
}
