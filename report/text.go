package report

import (
	"strings"
	"unicode"
)

// clean replaces what would move the cursor or change colours: names come from users.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || unicode.Is(unicode.Bidi_Control, r) {
			return '?'
		}
		return r
	}, s)
}

// columns returns the width of s on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// wide holds the letters that fill two columns, and pictographs.
var wide = []*unicode.RangeTable{
	unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana,
	{
		R16: []unicode.Range16{{Lo: 0x3000, Hi: 0x303e, Stride: 1}, {Lo: 0xff01, Hi: 0xff60, Stride: 1}, {Lo: 0xffe0, Hi: 0xffe6, Stride: 1}},
		R32: []unicode.Range32{{Lo: 0x1f300, Hi: 0x1f64f, Stride: 1}, {Lo: 0x1f680, Hi: 0x1f6ff, Stride: 1}, {Lo: 0x1f900, Hi: 0x1faff, Stride: 1}},
	},
}

func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.In(r, wide...):
		return 2
	}
	return 1
}

// clip shortens s to n columns; mark tells that something is gone.
func clip(s string, n int, mark string) string {
	if columns(s) <= n {
		return s
	}
	if n < columns(mark) {
		mark = ""
	}
	n -= columns(mark)
	for i, r := range s {
		if n -= runeColumns(r); n < 0 {
			return s[:i] + mark
		}
	}
	return s
}

// pad adds spaces up to n columns, behind s or before it.
func pad(s string, n int, right bool) string {
	space := strings.Repeat(" ", max(0, n-columns(s)))
	if right {
		return space + s
	}
	return s + space
}
