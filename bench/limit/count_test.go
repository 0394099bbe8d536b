package limit

import (
	"bytes"
	"encoding/csv"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"fletch/bench/zipf"
)

// countText counts a text as Count does and reads the parts again.
func countText(t *testing.T, text string, cores int) map[string]int {
	t.Helper()
	dir := t.TempDir()
	input, output := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out")
	if err := os.WriteFile(input, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Count(input, output, cores); err != nil {
		t.Fatal(err)
	}
	parts, err := filepath.Glob(filepath.Join(output, "part-*.csv"))
	if err != nil || len(parts) != cores {
		t.Fatalf("%d parts, want %d (%v)", len(parts), cores, err)
	}
	counts := map[string]int{}
	for _, part := range parts {
		readPart(t, part, counts)
	}
	return counts
}

func readPart(t *testing.T, path string, counts map[string]int) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, row := range rows[1:] {
		if _, ok := counts[row[0]]; ok {
			t.Errorf("%q stands in the result twice", row[0])
		}
		n, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		counts[row[0]] = n
	}
}

// fields is what Count should find.
func fields(text string) map[string]int {
	counts := map[string]int{}
	for w := range strings.FieldsSeq(text) {
		counts[w]++
	}
	return counts
}

var texts = []string{
	"",
	"\n\n",
	"one",
	"one two one\n",
	"  spaces  at\tboth\vends \f\r\n x",
	"exactly15bytes_ exactly15bytes_ sixteen-bytes-16 sixteen-bytes-16\n",
	"a word of much more than sixteen bytes: Donaudampfschifffahrtsgesellschaft Donaudampfschifffahrtsgesellschaft\n",
	`"quoted" a,b "" , \. "` + "\n",
	"no-break\u00a0space next\u0085line thin\u2009space ideographic\u3000space\u3000\u3000end\n",
	"\u00e4hnlich \u00c4hnlich na\u00efve caf\u00e9 \u4e16\u754c \u4e16\u754c\n",
	"bad \xff\xfe utf8 \xc2 cut\xc2\n\xa0\x85 \xe3\x80",
	"control \x00 \x01a a\x1f \x1c\x1d zero\x00byte\n",
	strings.Repeat("0123456 89abcde\n", 4096/16),
}

func TestCountFindsWhatStringsFieldsFinds(t *testing.T) {
	for _, text := range texts {
		for _, cores := range []int{1, 3} {
			if got := countText(t, text, cores); !maps.Equal(got, fields(text)) {
				t.Errorf("%q on %d cores:\n got %v\nwant %v", text, cores, got, fields(text))
			}
		}
	}
}

func FuzzCount(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		mapped := []byte(text)
		tables := countRanges(mapped, 1)
		got := map[string]int{}
		for _, s := range merge(mapped, tables, 0).slots {
			if s.count > 0 {
				got[string(s.bytes(mapped))] += int(s.count)
			}
		}
		if !maps.Equal(got, fields(text)) {
			t.Errorf("%q: %v", text, got)
		}
	})
}

// The text is long enough for several ranges, and its tables grow.
func TestCountOfALongText(t *testing.T) {
	file, err := zipf.File(zipf.Config{Bytes: 2*rangeBytes + 1000, Words: 200_000})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := file.Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	want := fields(text)
	for _, cores := range []int{1, 2, 3} {
		if !maps.Equal(countText(t, text, cores), want) {
			t.Errorf("the counts of %d cores are wrong", cores)
		}
	}
}

func TestOutputMustNotExist(t *testing.T) {
	if err := Count("count_test.go", t.TempDir(), 1); err == nil {
		t.Error("counted into a directory that exists")
	}
}
