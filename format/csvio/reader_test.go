package csvio

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"pgregory.net/rapid"

	"fletch/engine/plan"
	"fletch/format/internal/input/inputtest"
	"fletch/storage/storagetest"
)

// textColumns is the schema of n columns of strings.
func textColumns(n int) *arrow.Schema {
	var fields []arrow.Field
	for i := range n {
		fields = append(fields, arrow.Field{Name: fmt.Sprint("column", i), Type: arrow.BinaryTypes.String})
	}
	return arrow.NewSchema(fields, nil)
}

func newTestReader(t interface{ Fatal(...any) }, schema *arrow.Schema, maxLine int, ranges []plan.FileRange, set ...Option) *reader {
	l, err := layoutOf(schema)
	if err != nil {
		t.Fatal(err)
	}
	do := func(f func() error) error { return f() }
	return newReader(ranges, schema, l, reading{
		options: newOptions("", set), ctx: context.Background(), maxLine: maxLine, memory: inputtest.Ample(), start: atOnce, do: do, alive: func() {},
	})
}

// readText returns all records of columns of strings.
func readText(t interface{ Fatal(...any) }, r *reader) (rows [][]string, err error) {
	for {
		rec, err := r.Next()
		if err != nil {
			if closeErr := r.Close(); closeErr != nil {
				t.Fatal(closeErr)
			}
			if _, again := r.Next(); !errors.Is(again, err) {
				t.Fatal("after ", err, " came ", again)
			}
			if err == io.EOF {
				err = nil
			}
			return rows, err
		}
		if rec.NumRows() == 0 {
			t.Fatal("a batch without rows")
		}
		for i := range int(rec.NumRows()) {
			var row []string
			for _, c := range rec.Columns() {
				row = append(row, strings.Clone(c.(*array.String).Value(i)))
			}
			rows = append(rows, row)
		}
		rec.Release()
	}
}

// reference reads as encoding/csv does, which tells what is valid and what the fields are. It takes the carriage return
// out of the line ends in fields, which this package does not.
func reference(content []byte, delimiter byte) ([][]string, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(content, byteOrderMark)))
	r.Comma = rune(delimiter)
	return r.ReadAll()
}

func withoutReturns(rows [][]string) [][]string {
	for _, row := range rows {
		for i := range row {
			row[i] = strings.ReplaceAll(row[i], "\r\n", "\n")
		}
	}
	return rows
}

// cutAt cuts a file into ranges.
func cutAt(whole plan.FileRange, cuts ...int64) (ranges []plan.FileRange) {
	cuts = slices.DeleteFunc(slices.Clone(cuts), func(at int64) bool { return at <= 0 || at >= whole.Size })
	slices.Sort(cuts)
	for i, from := range append([]int64{0}, cuts...) {
		r := whole
		r.Offset, r.Length = from, whole.Size-from
		if i < len(cuts) {
			r.Length = cuts[i] - from
		}
		ranges = append(ranges, r)
	}
	return ranges
}

// tester is what a test and a property have in common.
type tester interface {
	Fatal(...any)
	Fatalf(string, ...any)
}

// setup is how a test reads.
type setup struct {
	delimiter      byte
	chunk, maxLine int
	lookBack       int64
	memory         int64
	cuts           []int64
}

// checkLikeReference reads a file whole, as encoding/csv does, and then in ranges, each by a reader of its own.
func checkLikeReference(t tester, content []byte, how setup) {
	want, wantErr := reference(content, how.delimiter)
	columns := 1
	if len(want) > 0 {
		columns = len(want[0])
	}
	whole := storagetest.Put("reference", content)
	read := func(in plan.FileRange, maxLine int) ([][]string, int64, error) {
		r := newTestReader(t, textColumns(columns), maxLine, []plan.FileRange{in}, NoHeader(), Delimiter(rune(how.delimiter)))
		r.blocks.chunk, r.blocks.lookBack, r.blocks.memory = how.chunk, how.lookBack, &inputtest.Memory{Limit: how.memory}
		rows, err := readText(t, r)
		return rows, r.BytesRead(), err
	}
	got, _, err := read(whole, 1<<20)
	switch {
	case wantErr != nil && err == nil:
		t.Fatalf("read %q of an invalid file: %v", got, wantErr)
	case wantErr == nil && err != nil:
		t.Fatalf("error %v, want %q", err, want)
	case wantErr == nil && fmt.Sprintf("%q", withoutReturns(got)) != fmt.Sprintf("%q", want):
		t.Fatalf("got  %q\nwant %q", got, want)
	}
	want, _, wantErr = read(whole, how.maxLine)
	got = nil
	var size int64
	for _, in := range cutAt(whole, how.cuts...) {
		rows, n, rangeErr := read(in, how.maxLine)
		got, size, err = append(got, rows...), size+n, errors.Join(err, rangeErr)
	}
	switch {
	case wantErr != nil && err == nil:
		t.Fatalf("cut at %d: read %q, want error %v", how.cuts, got, wantErr)
	case wantErr == nil && (err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want)):
		t.Fatalf("cut at %d:\n got %q, %v\nwant %q", how.cuts, got, err, want)
	case wantErr == nil && size != whole.Size:
		t.Fatalf("cut at %d: %d bytes were read of %d", how.cuts, size, whole.Size)
	}
}

// csvText is text of which much is valid CSV.
var csvText = rapid.Map(rapid.SliceOfN(rapid.OneOf(
	rapid.SampledFrom([]string{"\n", "\n", "\r\n", ",", ",", `"`, `""`, `","`, "a", "\r", "long text ", "\"\n\"", "\"\r\n\"", "\xef\xbb\xbf"}),
	rapid.SampledFrom([]string{"a,b\n", "\"a\",b\n", "a,\"b\"\r\n", "\"\",\"\"\n", "\"a\nb\",\"c\"\"d\"\n", "\"a,b\",\"\n\"\n", "1,2\n"}),
	rapid.SampledFrom([]string{"a,b\n", "\"a\",b\n", "a,\"b\"\r\n", "\"\",\"\"\n", "\"a\nb\",\"c\"\"d\"\n", "\"a,b\",\"\n\"\n", "1,2\n"}),
	rapid.Map(rapid.IntRange(0, 30), func(n int) string { return strings.Repeat("x", n) }),
), 0, 40), func(pieces []string) []byte { return []byte(strings.Join(pieces, "")) })

// validText is valid CSV of some columns.
var validText = rapid.Custom(func(t *rapid.T) []byte {
	columns := rapid.IntRange(1, 3).Draw(t, "columns")
	field := rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "1", `""`, `","`, "\"\n\"", `""""`, `"a"`, "\"\r\n,\"\"\n\"", "\"x\ny\"", `"a,b"`}),
		rapid.StringMatching(`[a-z]{0,9}`),
		rapid.Map(rapid.StringMatching("[a,\"\r\n]{0,9}"), func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }),
	)
	end := rapid.SampledFrom([]string{"\n", "\n", "\r\n", "\n\n"})
	var b strings.Builder
	for range rapid.IntRange(0, 30).Draw(t, "records") {
		for i := range columns {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(field.Draw(t, "field"))
		}
		b.WriteString(end.Draw(t, "end"))
	}
	return []byte(strings.TrimSuffix(b.String(), rapid.SampledFrom([]string{"", "\n"}).Draw(t, "cut")))
})

// However a file is cut, each of its records is read once, as encoding/csv reads it; and no file is read of which that
// says that it is invalid.
func TestLikeEncodingCSV(t *testing.T) {
	for name, texts := range map[string]*rapid.Generator[[]byte]{"any": csvText, "valid": validText} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				content := texts.Draw(t, "content")
				checkLikeReference(t, content, setup{
					delimiter: ',',
					chunk:     rapid.IntRange(1, 50).Draw(t, "chunk"),
					maxLine:   rapid.IntRange(1, 60).Draw(t, "maxLine"),
					lookBack:  rapid.Int64Range(1, 100).Draw(t, "lookBack"),
					memory:    rapid.SampledFrom([]int64{1 << 20, 1 << 20, 50, 0}).Draw(t, "memory"),
					cuts:      rapid.SliceOfN(rapid.Int64Range(1, int64(len(content))+1), 0, 8).Draw(t, "cuts"),
				})
			})
		})
	}
}

// Small files that hold what is hard, in all ways to read them.
func TestEveryCut(t *testing.T) {
	for _, content := range []string{
		"\xef\xbb\xbf\"a\"\n\"b\"\n",
		"\"\n\"\n\"\n\"\n\",\"\n",              // the same records when taken from within quotes, but for the first
		"\"\"\"\n\"\"\",\"\"\r\n\"\r\n\",\"\"", // ends in a field without an end of line
		"a\n\n\r\n\"\"\nb\r",
		"a,5\"\nb,6\"\n\"c\",d\n", // invalid
	} {
		for cut := range int64(len(content)) {
			for lookBack := range int64(12) {
				for chunk := 1; chunk < 12; chunk++ {
					for _, maxLine := range []int{1, 4, 8, 100} {
						checkLikeReference(t, []byte(content), setup{',', chunk, maxLine, lookBack, 1 << 20, []int64{cut}})
					}
				}
			}
		}
	}
}

func FuzzLikeEncodingCSV(f *testing.F) {
	f.Add([]byte("a,b\n\"c\"\"\",\"d\ne\"\r\n\r\n,"), byte(','), uint16(9), uint16(13), byte(4), byte(20))
	f.Add([]byte("\"\n\",\"\n\"\n\"\",\"\"\n"), byte(','), uint16(2), uint16(5), byte(1), byte(9))
	f.Add([]byte("\xef\xbb\xbf\"a\"\tb\"\nc\td"), byte('\t'), uint16(4), uint16(4), byte(100), byte(100))
	f.Fuzz(func(t *testing.T, content []byte, delimiter byte, a, b uint16, chunk, maxLine byte) {
		if newOptions("", []Option{Delimiter(rune(delimiter))}).err != nil {
			return
		}
		checkLikeReference(t, content, setup{delimiter, int(chunk) + 1, int(maxLine) + 1, int64(chunk), 1 << 20, []int64{int64(a), int64(b)}})
	})
}
