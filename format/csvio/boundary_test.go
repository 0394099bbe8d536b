package csvio

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"fletch/engine/plan"
	"fletch/format/internal/input/inputtest"
	"fletch/storage/storagetest"
)

// unquoted is a file of so many bytes and some more, in two columns.
func unquoted(name string, size int) plan.FileRange {
	var b strings.Builder
	for b.Grow(size + 100); b.Len() < size; {
		fmt.Fprintf(&b, "%d,some text without a quote\n", b.Len())
	}
	return storagetest.Put(name, []byte(b.String()))
}

// cutEvenly cuts a file into n ranges.
func cutEvenly(whole plan.FileRange, n int64) []plan.FileRange {
	var cuts []int64
	for i := range n - 1 {
		cuts = append(cuts, whole.Size/n*(i+1))
	}
	return cutAt(whole, cuts...)
}

// Of a file without quotes, neither a pass nor a sample reads much more than it is about.
func TestBytesReadWithoutQuotes(t *testing.T) {
	const maxLine = 4 << 20
	whole := unquoted("unquoted", 64<<20)
	ranges := cutEvenly(whole, 8)
	sample := plan.Sampled([]plan.Split{{Files: []plan.FileRange{whole}, Bytes: whole.Size}})[0].Files
	for name, c := range map[string]struct {
		ranges []plan.FileRange
		sample bool
		memory int64
		most   int64
	}{
		"pass":              {ranges, false, 4 << 20, whole.Size * 102 / 100},
		"pass, no memory":   {ranges, false, 0, whole.Size + 8*(2*maxLine)},
		"sample":            {sample, true, 0, 8 * (256<<10 + 100<<10)},
		"sample, if proven": {sample, false, 0, 8 * (256<<10 + 2*maxLine)},
	} {
		before, memory, rows := storagetest.BytesRead(whole), &inputtest.Memory{Limit: c.memory}, 0
		for _, in := range c.ranges {
			r := newTestReader(t, textColumns(2), maxLine, []plan.FileRange{in}, NoHeader())
			r.blocks.sample, r.blocks.memory = c.sample, memory
			got, err := readText(t, r)
			if err != nil {
				t.Fatal(err)
			}
			rows += len(got)
		}
		if n := storagetest.BytesRead(whole) - before; n > c.most {
			t.Errorf("%s: %d bytes of %d were read, want at most %d", name, n, whole.Size, c.most)
		}
		if rows == 0 || memory.Used() != 0 {
			t.Errorf("%s: %d rows; %d bytes of memory are held in the end", name, rows, memory.Used())
		}
	}
}

// A sample that has guessed wrongly drops its piece; a pass of the same file is right.
func TestWrongGuess(t *testing.T) {
	long := `"` + strings.Repeat("a,b\n", 100_000) + `"`
	content := "1,2\n" + long + ",c\n" + strings.Repeat("3,4\n", 10)
	whole := storagetest.Put("guess", []byte(content))
	for _, sample := range []bool{false, true} {
		in := whole
		in.Offset = 200_000
		in.Length = in.Size - in.Offset
		r := newTestReader(t, textColumns(2), 1<<20, []plan.FileRange{in, whole}, NoHeader())
		r.blocks.sample, r.blocks.chunk = sample, 70_000
		got, err := readText(t, r)
		if err != nil {
			t.Fatal(err)
		}
		last := got[len(got)-12:] // those of the whole file
		if want := fmt.Sprintf("%q", [][]string{{"1", "2"}, {strings.Trim(long, `"`), "c"}}); fmt.Sprintf("%q", last[:2]) != want {
			t.Errorf("sample %v: %.100q", sample, last)
		}
		switch {
		case !sample && len(got) != 10+12:
			t.Errorf("a pass has %d records", len(got))
		case sample && (len(got) < 1000 || got[0][0] != "a"):
			t.Errorf("a sample has %d records: the test's guess is right", len(got))
		}
	}
}

// To look for a range's beginning ends with the task.
func TestBoundaryIsCancelled(t *testing.T) {
	in := unquoted("cancelled", 1<<20)
	in.Offset, in.Length = in.Size/2, in.Size/2
	r := newTestReader(t, textColumns(2), 1<<20, []plan.FileRange{in}, NoHeader())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	how := r.blocks.reading
	how.ctx = ctx
	before := storagetest.BytesRead(in)
	if _, err := readText(t, r); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if n := storagetest.BytesRead(in) - before; n > chunkBytes {
		t.Errorf("%d bytes were read all the same", n)
	}
}
