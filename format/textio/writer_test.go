package textio

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/batch"
	"fletch/fault"
)

func record(t *testing.T, lines ...string) arrow.Record {
	t.Helper()
	codec, err := batch.CodecOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	if !codec.Schema().Equal(schema) {
		t.Fatalf("strings have the schema %v, lines are read with %v", codec.Schema(), schema)
	}
	b := codec.NewBuilder(memory.DefaultAllocator)
	if err := b.Append(lines); err != nil {
		t.Fatal(err)
	}
	rec := b.Record()
	t.Cleanup(rec.Release)
	return rec
}

func TestWriteLines(t *testing.T) {
	var out bytes.Buffer
	w := &writer{out: &out}
	whole := record(t, "left out", "a", "", "b\r", "\xff")
	rec := whole.NewSlice(1, 5)
	defer rec.Release()
	for _, r := range []arrow.Record{rec, record(t), rec} {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("a\n\nb\r\n\xff\n", 2); out.String() != want {
		t.Errorf("wrote %q, want %q", out.String(), want)
	}
}

func TestWriteRefusesNewlines(t *testing.T) {
	w := &writer{out: new(bytes.Buffer)}
	if err := w.Write(record(t, "one", "two")); err != nil {
		t.Fatal(err)
	}
	whole := record(t, "left out", "three", "", "five\nhundred", "si\nx")
	rec := whole.NewSlice(1, 5)
	defer rec.Release()
	wantError(t, w.Write(rec), fault.User, "record 5 ", `"five\nhundred"`)
}

// full takes room bytes.
type full struct{ room int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.room {
		return 0, errFull
	}
	f.room -= len(p)
	return len(p), nil
}

func TestFailingOutput(t *testing.T) {
	rec := record(t, strings.Repeat("x", flushBytes), "y")
	for _, room := range []int{0, flushBytes + 1} {
		w := &writer{out: &full{room}}
		if err := errors.Join(w.Write(rec), w.Close()); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}
