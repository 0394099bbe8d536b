package report

import "strings"

// color is a colour of text, as the parameter of a terminal's SGR sequence.
type color string

const (
	plainText color = ""
	busy      color = "36" // cyan
	complete  color = "32" // green
	faint     color = "2"
)

// style is how a display can be written on.
type style struct {
	color bool
	glyphs
}

// glyphs are the signs that a display's character set has.
type glyphs struct {
	ascii                        bool
	arrow, more                  string // between operators; where something is left out
	open, full, head, rest, shut string // a bar; head follows what is full
}

var (
	unicodeGlyphs = glyphs{arrow: " → ", more: "…", full: "━", head: "╾", rest: "─"}
	asciiGlyphs   = glyphs{ascii: true, arrow: " -> ", more: "...", open: "[", full: "=", head: "-", rest: " ", shut: "]"}
)

func newStyle(d Display) style {
	if d.Unicode {
		return style{d.Color, unicodeGlyphs}
	}
	return style{d.Color, asciiGlyphs}
}

// text returns a user's text as the display can show it.
func (g glyphs) text(t string) string {
	t = clean(t)
	if !g.ascii {
		return t
	}
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, strings.NewReplacer("→", "->", "…", "...").Replace(t))
}

// shorten fits a stage's name into n columns by leaving out operators behind the first one, then the end.
func (g glyphs) shorten(name string, n int) string {
	if columns(name) <= n {
		return name
	}
	operators := strings.Split(name, g.arrow)
	for from := 2; from <= len(operators); from++ {
		s := strings.Join(append([]string{operators[0], g.more}, operators[from:]...), g.arrow)
		if columns(s) <= n {
			return s
		}
	}
	return clip(name, n, g.more)
}

// bar returns a bar of n columns as what is full and what isn't; no bar if there is no room for one.
func (g glyphs) bar(share float64, n int) (full, rest string) {
	if n -= len(g.open) + len(g.shut); n <= 0 {
		return "", ""
	}
	half := int(share * float64(2*n)) // a head stands for half a column
	full = g.open + strings.Repeat(g.full, half/2)
	left := n - half/2
	if half%2 == 1 {
		full += g.head
		left--
	}
	return full, strings.Repeat(g.rest, left) + g.shut
}

// line is one line of a frame. It never becomes wider than its room.
type line struct {
	color bool
	text  strings.Builder
	width int
	room  int
}

func (st style) line(columns int) *line { return &line{color: st.color, room: columns} }

// add appends text as far as there is room.
func (l *line) add(c color, text string) {
	text = clip(text, l.room-l.width, "")
	l.width += columns(text)
	if c == plainText || !l.color || text == "" {
		l.text.WriteString(text)
		return
	}
	l.text.WriteString("\x1b[" + string(c) + "m" + text + "\x1b[0m")
}
