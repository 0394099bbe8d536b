package exec

import (
	"iter"
	"slices"
	"strings"
	"testing"
)

// FuzzFields holds fields against the function that it stands in for.
func FuzzFields(f *testing.F) {
	for _, s := range []string{
		"", " ", "a", "two words", "  a\tlonger  line\x0bwith every\fkind\r\nof space ", "control\x01\x1fcharacters are no space",
		"rune beyond ascii: caf\u00e9 and\u2003an em space", "\u0085\u00a0x", "invalid \xff\xfe utf-8", "exactly8 exactly8exactly8 ",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got []string
		fields(s, func(word string) bool { got = append(got, word); return true })
		if want := strings.Fields(s); !slices.Equal(got, want) {
			t.Fatalf("fields of %q are %q, want %q", s, got, want)
		}
		for stop := range got {
			n := 0
			more := fields(s, func(string) bool { n++; return n <= stop })
			if n != stop+1 || more {
				t.Fatalf("%q: %d words after a stop at %d", s, n, stop)
			}
		}
	})
}

func TestKnownSequence(t *testing.T) {
	known := knownSequence(strings.FieldsSeq)
	if known == nil {
		t.Fatal("strings.FieldsSeq is not known")
	}
	var got []string
	if !known("a line", func(word string) bool { got = append(got, word); return true }) || !slices.Equal(got, []string{"a", "line"}) {
		t.Errorf("got %q", got)
	}
	if knownSequence(func(s string) iter.Seq[string] { return strings.FieldsSeq(s) }) != nil { //nolint:gocritic // another function, which is not known
		t.Error("a function around strings.FieldsSeq is taken for it")
	}
}
