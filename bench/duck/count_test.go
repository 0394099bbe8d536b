package duck

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCount(t *testing.T) {
	dir := t.TempDir()
	input, output := filepath.Join(dir, "it's.txt"), filepath.Join(dir, "out.csv")
	text := "one two  one\n\n \"quoted a,b one\n" + strings.Repeat("many ", 10_000) + "\n"
	if err := os.WriteFile(input, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Count(context.Background(), Config{Input: input, Output: output, Cores: 2, Memory: "200MB"}); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(content))
	slices.Sort(lines[1:])
	want := []string{"key,value", `"""quoted",1`, `"a,b",1`, "many,10000", "one,3", "two,1"}
	if !slices.Equal(lines, want) {
		t.Errorf("got %q\nwant %q", lines, want)
	}
}
