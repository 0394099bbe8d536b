package report

import "testing"

func TestText(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{clean("a\x1b[2Jb\nc\u202ed\u2028é"), "a?[2Jb?c?d?é"},
		{clip("abcdef", 6, "…"), "abcdef"},
		{clip("abcdef", 5, "…"), "abcd…"},
		{clip("日本語", 5, "…"), "日本…"},
		{clip("日本語", 4, "…"), "日…"},
		{clip("e\u0301e\u0301e\u0301", 2, ""), "e\u0301e\u0301"},
		{clip("abcdef", 2, "..."), "ab"},
		{clip("abcdef", 0, "…"), ""},
		{pad("日本", 6, false) + "|", "日本  |"},
		{pad("日本", 6, true), "  日本"},
		{pad("long", 2, true), "long"},
		{unicodeGlyphs.shorten("Read → Map → Filter → Write", 27), "Read → Map → Filter → Write"},
		{unicodeGlyphs.shorten("Read → Map → Filter → Write", 26), "Read → … → Filter → Write"},
		{unicodeGlyphs.shorten("Read → Map → Filter → Write", 24), "Read → … → Write"},
		{unicodeGlyphs.shorten("Read → Map → Filter → Write", 15), "Read → …"},
		{unicodeGlyphs.shorten("Read → Map → Filter → Write", 7), "Read →…"},
		{asciiGlyphs.text("Read → Übersetzen…"), "Read -> ?bersetzen..."},
		{asciiGlyphs.shorten("Read -> Map -> Write", 19), "Read -> ..."},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		glyphs glyphs
		share  float64
		n      int
		want   string
	}{
		{unicodeGlyphs, 0, 4, "|────"},
		{unicodeGlyphs, 0.12, 4, "|────"},
		{unicodeGlyphs, 0.125, 4, "╾|───"},
		{unicodeGlyphs, 0.5, 4, "━━|──"},
		{unicodeGlyphs, 0.99, 4, "━━━╾|"},
		{unicodeGlyphs, 1, 4, "━━━━|"},
		{unicodeGlyphs, 1, 0, "|"},
		{asciiGlyphs, 0, 6, "[|    ]"},
		{asciiGlyphs, 0.4, 6, "[=-|  ]"},
		{asciiGlyphs, 1, 6, "[====|]"},
		{asciiGlyphs, 1, 2, "|"},
	} {
		full, rest := c.glyphs.bar(c.share, c.n)
		if got := full + "|" + rest; got != c.want {
			t.Errorf("%g of %d columns: %s, want %s", c.share, c.n, got, c.want)
		}
	}
}
