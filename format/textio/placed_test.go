package textio

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/plan"
	"fletch/format/internal/input"
	"fletch/format/internal/input/inputtest"
	"fletch/local"
	"fletch/storage/storagetest"
)

// readPlaced returns all records of a reader, and wants Position to agree with them.
func readPlaced(t interface{ Fatal(...any) }, r engine.Reader) []Line {
	codec, err := batch.CodecOf[Line]()
	if err != nil {
		t.Fatal(err)
	}
	d := codec.NewDecoder()
	var all []Line
	for {
		rec, err := r.Next()
		if err == io.EOF {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Reset(rec); err != nil {
			t.Fatal(err)
		}
		if n := d.Len(); n == 0 || n > placedRows {
			t.Fatal("a batch of ", n, " rows")
		}
		some := make([]Line, d.Len())
		d.Read(some, 0)
		for i, l := range some {
			// What a person reads names the file as the input does.
			if at := r.Position(i); !strings.HasSuffix(input.Position(l.File, l.Offset), at) {
				t.Fatal("the line is said to stand at ", at, ": ", l)
			}
		}
		all = append(all, some...)
		rec.Release()
	}
}

// wantPlaced returns the lines of a file as an independent splitter finds them.
func wantPlaced(path string, content []byte) []Line {
	var want []Line
	for _, l := range wantLines(path, content) {
		var offset int64
		if _, err := fmt.Sscanf(l.at[len(path):], " byte %d", &offset); err != nil {
			panic(err)
		}
		want = append(want, Line{path, offset, l.text})
	}
	return want
}

// Lines know their file and offset wherever files are cut and however many are read together.
func TestLinesKnowTheirPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ranges []plan.FileRange
		var want []Line
		for k := range rapid.IntRange(0, 4).Draw(t, "files") {
			content := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"\n", "\r\n", "a", "some words\n"}), 0, 30).Draw(t, "pieces"), ""))
			whole := storagetest.Put(fmt.Sprint("placed", k), content)
			cut := int64(rapid.IntRange(0, len(content)).Draw(t, "cut"))
			first, second := whole, whole
			first.Length, second.Offset, second.Length = cut, cut, whole.Length-cut
			ranges = append(ranges, first, second)
			want = append(want, wantPlaced(whole.Path, content)...)
		}
		r := newReader(context.Background(), ranges, 1<<20, inputtest.Ample(), now)
		r.chunk = rapid.IntRange(1, 100).Draw(t, "chunk")
		if got := readPlaced(t, &placedReader{reader: r}); !slices.Equal(got, want) {
			t.Fatalf("got %+v\nwant %+v", got, want)
		}
	})
}

// A block of many short lines makes several batches, of a file under a relative path as well.
func TestManyPlacedLines(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	content := bytes.Repeat([]byte("\n"), 3*placedRows+1)
	if err := os.WriteFile("blank.txt", content, 0o666); err != nil {
		t.Fatal(err)
	}
	in := plan.FileRange{Path: "blank.txt", Length: int64(len(content)), Size: int64(len(content))}
	got := readPlaced(t, &placedReader{reader: newReader(context.Background(), []plan.FileRange{in}, 1<<20, inputtest.Ample(), now)})
	if want := wantPlaced(filepath.Join(dir, "blank.txt"), content); !slices.Equal(got, want) {
		t.Errorf("got %d lines, want %d; the first is %+v", len(got), len(want), got[:min(len(got), 1)])
	}
}

func TestReadLines(t *testing.T) {
	dir := t.TempDir()
	var want []Line
	for name, content := range map[string][]byte{"a.txt": sample(), "b.gz": []byte("one\ntwo"), "c.txt": []byte("\nthree\n")} {
		plain := content
		if filepath.Ext(name) == ".gz" {
			content = storagetest.Zip(t, ".gz", content)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		want = append(want, wantPlaced(path, plain)...)
	}
	slices.SortStableFunc(want, func(a, b Line) int { return strings.Compare(a.File, b.File) })
	got, err := local.Collect(t.Context(), ReadLines(engine.NewJob("lines"), dir))
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %d lines, want %d: %v", len(got), len(want), err)
	}
}
