package textio

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/batch"
	"fletch/fault"
	"fletch/fault/faulttest"
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
	w := newWriter(&out)
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
	w := newWriter(new(bytes.Buffer))
	if err := w.Write(record(t, "one", "two")); err != nil {
		t.Fatal(err)
	}
	whole := record(t, "left out", "three", "", "five\nhundred", "si\nx")
	rec := whole.NewSlice(1, 5)
	defer rec.Release()
	faulttest.Want(t, w.Write(rec), fault.User, "record 5 ", `"five\nhundred"`)
}
