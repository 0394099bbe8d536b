package duck

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newFile writes a file and returns its path.
func newFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rowsOf returns what a query gives: the header and the sorted rows.
func rowsOf(t *testing.T, query string) []string {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	output := filepath.Join(t.TempDir(), "it's")
	if err := Copy(context.Background(), query, Config{Output: output, Cores: 2, Memory: "200MB"}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
	files, err := filepath.Glob(filepath.Join(output, "*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v, %v", files, err)
	}
	var header string
	var rows []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		header, rows = lines[0], append(rows, lines[1:]...)
	}
	slices.Sort(rows)
	return append([]string{header}, rows...)
}

const toGroup = `id1,id2,id3,id4,id5,id6,v1,v2,v3
id001,id001,id0000000001,1,1,1,1,10,0.25
id001,id002,id0000000001,1,2,1,2,20,0.5
id002,id001,id0000000002,2,1,2,3,30,100
id001,id001,id0000000001,1,1,1,5,40,7
`

func TestGroupBy(t *testing.T) {
	input := newFile(t, "table.csv", toGroup)
	for question, want := range map[int][]string{
		1: {"key,value", "id001,8", "id002,3"},
		2: {"id1,id2,value", "id001,id001,6", "id001,id002,2", "id002,id001,3"},
		3: {"key,v1,v3", "id0000000001,8,2.5833333333333335", "id0000000002,3,100.0"},
		4: {"key,v1,v2,v3", "1,2.6666666666666665,23.333333333333332,2.5833333333333335", "2,3.0,30.0,100.0"},
		5: {"key,v1,v2,v3", "1,8,70,7.75", "2,3,30,100.0"},
		10: {
			"id1,id2,id3,id4,id5,id6,v3,count", "id001,id001,id0000000001,1,1,1,7.25,2",
			"id001,id002,id0000000001,1,2,1,0.5,1", "id002,id001,id0000000002,2,1,2,100.0,1",
		},
	} {
		query, err := GroupBy(question, input)
		if err != nil {
			t.Fatal(err)
		}
		if got := rowsOf(t, query); !slices.Equal(got, want) {
			t.Errorf("question %d: got %q\nwant %q", question, got, want)
		}
	}
	if _, err := GroupBy(6, input); err == nil || !strings.Contains(err.Error(), "[1 2 3 4 5 10]") {
		t.Errorf("question 6: %v", err)
	}
}

func TestJoin(t *testing.T) {
	x := newFile(t, "x.csv", "id1,id2,id3,id4,id5,id6,v1\n1,10,5,id1,id10,id5,0.5\n1,11,6,id1,id11,id6,1\n2,10,7,id2,id10,id7,2\n")
	medium := newFile(t, "medium.csv", "id1,id2,id4,id5,v2\n3,12,id3,id12,8\n3,10,id3,id10,99.5\n")
	want := []string{"id1,id2,id3,id4,id5,id6,v1,v2", "1,10,5,id1,id10,id5,0.5,99.5", "2,10,7,id2,id10,id7,2.0,99.5"}
	if got := rowsOf(t, Join(x, medium)); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestSums(t *testing.T) {
	const rows, keys = 1000, 30
	want := map[int64]int64{}
	for i := range int64(rows) {
		want[i%keys*2654435761%4294967291] += i
	}
	lines := []string{}
	for key, sum := range want {
		lines = append(lines, fmt.Sprintf("%d,%d", key, sum))
	}
	slices.Sort(lines)
	if got := rowsOf(t, Sums(rows, keys)); got[0] != "key,value" || !slices.Equal(got[1:], lines) || len(want) != keys {
		t.Errorf("got %q\nwant %q", got, lines)
	}
}
