package report

import "strings"

// style is how a display can be written on: with or without colours and Unicode.
type style struct {
	color, unicode bool
}

func newStyle(d Display) style { return style{color: d.Color && d.Size != nil, unicode: d.Unicode} }

// text returns a user's text as the display can show it.
func (s style) text(t string) string {
	t = clean(t)
	if s.unicode {
		return t
	}
	return strings.Map(func(r rune) rune {
		if r > '~' {
			return '?'
		}
		return r
	}, strings.NewReplacer("→", "->", "…", "...").Replace(t))
}
