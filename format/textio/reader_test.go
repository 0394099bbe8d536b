package textio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/fault/faulttest"
	"fletch/format/internal/input/inputtest"
	"fletch/storage/storagetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// now reads at once instead of ahead.
func now(read func() (block, error)) (await, join func() (block, error)) {
	b, err := read()
	result := func() (block, error) { return b, err }
	return result, result
}

// line is what a reader yields, with its position.
type line struct {
	text, at string
}

func readAll(t interface{ Fatal(...any) }, r *reader) ([]line, error) {
	var lines []line
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
			return lines, err
		}
		column := rec.Column(0).(*array.String)
		if rec.NumRows() == 0 || int(rec.NumRows()) != column.Len() {
			t.Fatal("a batch of ", rec.NumRows(), " rows and ", column.Len(), " values")
		}
		for i := range column.Len() {
			lines = append(lines, line{strings.Clone(column.Value(i)), r.Position(i)})
		}
		rec.Release()
	}
}

// wantLines cuts content as bufio.ScanLines does and says where each line begins.
func wantLines(path string, content []byte) []line {
	var want []line
	at := 0
	s := bufio.NewScanner(bytes.NewReader(content))
	s.Buffer(nil, len(content)+2)
	s.Split(func(data []byte, eof bool) (int, []byte, error) {
		n, token, err := bufio.ScanLines(data, eof)
		if token != nil {
			want = append(want, line{string(token), fmt.Sprintf("%s byte %d", path, at)})
		}
		at += n
		return n, token, err
	})
	for s.Scan() {
	}
	return want
}

func checkLines(t interface{ Fatalf(string, ...any) }, got, want []line) {
	if !slices.Equal(got, want) {
		t.Fatalf("got %d lines %.500q\nwant %d lines %.500q", len(got), got, len(want), want)
	}
}

// Cut anywhere, the ranges of a file yield each of its lines once, in order.
func TestRangesYieldEveryLineOnce(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"\n", "\n", "\r\n", "\r", "", "a", "word", "\xff\xfe", "naïve"}),
		rapid.Map(rapid.IntRange(0, 300), func(n int) string { return strings.Repeat("x", n) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		content := []byte(strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(t, "pieces"), ""))
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(content)), 0, 8).Draw(t, "cuts")
		cuts = append(cuts, 0, len(content))
		slices.Sort(cuts)
		whole := storagetest.Put("property", content)
		var ranges []plan.FileRange
		for i := range len(cuts) - 1 {
			r := whole
			r.Offset, r.Length = int64(cuts[i]), int64(cuts[i+1]-cuts[i])
			ranges = append(ranges, r)
		}
		r := newReader(context.Background(), ranges, 1<<20, inputtest.Ample(), now)
		r.chunk = rapid.IntRange(1, 100).Draw(t, "chunk")
		got, err := readAll(t, r)
		if err != nil {
			t.Fatal(err)
		}
		checkLines(t, got, wantLines(whole.Path, content))
		if r.BytesRead() != int64(len(content)) {
			t.Fatalf("read %d bytes of %d", r.BytesRead(), len(content))
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"), uint16(3), uint16(2))
	f.Add([]byte("\n\n"), uint16(1), uint16(1))
	f.Add([]byte("\r\n\r"), uint16(2), uint16(9))
	f.Fuzz(func(t *testing.T, content []byte, cut, chunk uint16) {
		first := storagetest.Put("fuzz", content)
		second := first
		second.Offset = min(int64(cut), first.Size)
		first.Length, second.Length = second.Offset, first.Size-second.Offset
		r := newReader(context.Background(), []plan.FileRange{first, second}, maxLineLimit, inputtest.Ample(), now)
		r.chunk = int(chunk) + 1
		got, err := readAll(t, r)
		if err != nil {
			t.Fatal(err)
		}
		checkLines(t, got, wantLines(first.Path, content))
	})
}

// Strings stay what they were when more is read.
func TestStringsMayBeKept(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcde\n"), 50_000)
	r := newReader(context.Background(), []plan.FileRange{storagetest.Put("kept", content)}, 1<<20, inputtest.Ample(), now)
	var kept []string
	for {
		rec, err := r.Next()
		if err == io.EOF {
			break
		}
		for i := range int(rec.NumRows()) {
			kept = append(kept, rec.Column(0).(*array.String).Value(i))
		}
		rec.Release()
	}
	for i, s := range kept {
		if s != "0123456789abcde" {
			t.Fatalf("line %d became %q", i, s)
		}
	}
	if len(kept) != 50_000 {
		t.Errorf("%d lines", len(kept))
	}
}

func TestLongLines(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	const limit = 1000
	for name, c := range map[string]struct {
		content string
		at      string // of the line that is too long; empty: none is
	}{
		"at the limit":              {"a\n" + x(limit) + "\nb", ""},
		"at the limit, CRLF":        {"a\n" + x(limit) + "\r\nb", ""},
		"at the limit, last":        {"a\n" + x(limit), ""},
		"at the limit, last, CR":    {"a\n" + x(limit) + "\r", ""},
		"beyond":                    {"a\n" + x(limit+1) + "\nb", " byte 2"},
		"beyond, CRLF":              {"a\n" + x(limit+1) + "\r\nb", " byte 2"},
		"beyond, last":              {"a\n" + x(limit+1), " byte 2"},
		"beyond by a CR":            {"a\n" + x(limit) + "\rb", " byte 2"},
		"far beyond":                {"a\n" + x(100*limit) + "\nb", " byte 2"},
		"far beyond, without a end": {"a\nb\n" + x(100*limit), " byte 4"},
	} {
		for _, chunk := range []int{1, 7, 64, 1001, chunkBytes} {
			in := storagetest.Put("long", []byte(c.content))
			r := newReader(context.Background(), []plan.FileRange{in}, limit, inputtest.Ample(), now)
			r.chunk = chunk
			got, err := readAll(t, r)
			if c.at != "" {
				faulttest.Want(t, err, fault.User, in.Path+c.at+": ", "longer than 1000 bytes", "--max-line")
				continue
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			checkLines(t, got, wantLines(in.Path, []byte(c.content)))
		}
	}
}

// A line that is too long is refused before much of it is in memory.
func TestLongLineIsNotGathered(t *testing.T) {
	in := storagetest.Put("huge", bytes.Repeat([]byte("x"), 64<<20))
	r := newReader(context.Background(), []plan.FileRange{in}, 1<<20, inputtest.Ample(), now)
	_, err := r.Next()
	faulttest.Want(t, err, fault.User, "test://huge byte 0: ")
	if read := r.file.file.Pos(); read > 2<<20 {
		t.Errorf("%d bytes were read of a line that is refused beyond 1 MiB", read)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// sample is text that is longer than a chunk, of lines that differ.
func sample() []byte {
	var out bytes.Buffer
	for i := range 40_000 {
		fmt.Fprintf(&out, "%d of forty thousand\n", i*i)
	}
	return out.Bytes()
}

func TestCompressed(t *testing.T) {
	text := sample()
	for _, suffix := range []string{".gz", ".zst"} {
		for name, members := range map[string][][]byte{
			"one":     {text},
			"several": {text[:100_003], nil, text[100_003:]},
			"nothing": {nil},
		} {
			in := storagetest.Put(name+suffix, storagetest.Zip(t, suffix, members...))
			got, err := readAll(t, newReader(context.Background(), []plan.FileRange{in}, 1<<20, inputtest.Ample(), now))
			if err != nil {
				t.Fatalf("%s: %v", in.Path, err)
			}
			checkLines(t, got, wantLines(in.Path, bytes.Join(members, nil)))
		}
	}
}

func TestDamagedCompressed(t *testing.T) {
	text := sample()
	for _, suffix := range []string{".gz", ".zst"} {
		whole := storagetest.Zip(t, suffix, text)
		flipped := slices.Clone(whole)
		flipped[len(flipped)/2] ^= 0x10
		for name, c := range map[string]struct {
			content []byte
			words   string
		}{
			"cut":         {whole[:len(whole)/2], "cut short"},
			"cut in head": {whole[:3], "cut short"},
			"empty":       {nil, "cut short"},
			"lacks tail":  {whole[:len(whole)-1], "cut short"},
			"flipped":     {flipped, "damaged"},
			"plain text":  {[]byte("this is no compressed file at all\n"), "damaged"},
			"more behind": {append(slices.Clone(whole), "garbage behind it"...), "damaged"},
		} {
			in := storagetest.Put("bad"+suffix, c.content)
			_, err := readAll(t, newReader(context.Background(), []plan.FileRange{in}, 1<<20, inputtest.Ample(), now))
			if err == nil {
				t.Errorf("%s %s: no error", name, suffix)
				continue
			}
			faulttest.Want(t, err, fault.User, in.Path+" byte ", "before byte", c.words)
		}
	}
}

func TestWindowIsBounded(t *testing.T) {
	// The header of a frame that asks for a window of 1 GiB, then an empty last block.
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 20 << 3, 0x01, 0x00, 0x00}
	in := storagetest.Put("window.zst", frame)
	_, err := readAll(t, newReader(context.Background(), []plan.FileRange{in}, 1<<20, inputtest.Ample(), now))
	faulttest.Want(t, err, fault.User, in.Path, "64 MiB", "--long")
}

func TestReadErrors(t *testing.T) {
	broken := errors.New("broken disk")
	for _, name := range []string{"broken", "broken.gz"} {
		in := storagetest.PutBroken(name, broken)
		_, err := readAll(t, newReader(context.Background(), []plan.FileRange{in}, 1<<20, inputtest.Ample(), now))
		faulttest.Want(t, err, fault.Retryable, in.Path, "broken disk")
	}
	in := storagetest.Put("changed", []byte("text"))
	in.Size++
	_, err := readAll(t, newReader(context.Background(), []plan.FileRange{in}, 1<<20, inputtest.Ample(), now))
	faulttest.Want(t, err, fault.User, in.Path, "changed")
}

// A file that loses its end while it is read.
func TestCutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(path, bytes.Repeat([]byte("text\n"), 200_000), 0o666); err != nil {
		t.Fatal(err)
	}
	r := newReader(context.Background(), []plan.FileRange{{Path: path, Length: 1_000_000, Size: 1_000_000}}, 1<<20, inputtest.Ample(), now)
	rec, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	rec.Release()
	if err := os.Truncate(path, 600_000); err != nil {
		t.Fatal(err)
	}
	_, err = readAll(t, r)
	faulttest.Want(t, err, fault.User, path, "was cut", "1000000 bytes")
}

func TestCloseInMidFile(t *testing.T) {
	for _, name := range []string{"mid", "mid.gz", "mid.zst"} {
		content := sample()
		if suffix := filepath.Ext(name); suffix != "" {
			content = storagetest.Zip(t, suffix, content)
		}
		r := newReader(context.Background(), []plan.FileRange{storagetest.Put(name, content)}, 1<<20, inputtest.Ample(), now)
		rec, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		rec.Release()
		for range 2 {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	text := bytes.Repeat([]byte(strings.Repeat("0123456789", 8)[:79]+"\n"), 1<<20)
	path := filepath.Join(b.TempDir(), "lines.txt")
	if err := os.WriteFile(path, text, 0o666); err != nil {
		b.Fatal(err)
	}
	in := plan.FileRange{Path: path, Length: int64(len(text)), Size: int64(len(text))}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		r := newReader(context.Background(), []plan.FileRange{in}, 16<<20, inputtest.Ample(), now)
		rows := int64(0)
		for {
			rec, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			rows += rec.NumRows()
			rec.Release()
		}
		if rows != 1<<20 {
			b.Fatal(rows, " rows")
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
