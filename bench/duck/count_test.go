package duck

import (
	"slices"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	input := newFile(t, "it's.txt", "one two  one\n\n \"quoted a,b one\n"+strings.Repeat("many ", 10_000)+"\n")
	got := rowsOf(t, Count(input))
	want := []string{"key,value", `"""quoted",1`, `"a,b",1`, "many,10000", "one,3", "two,1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
