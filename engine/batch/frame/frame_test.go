package frame_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"fletch/engine/batch/frame"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// everything has a column of each type that datasets have, some of them nested.
var everything = arrow.NewSchema([]arrow.Field{
	{Name: "bool", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "i8", Type: arrow.PrimitiveTypes.Int8},
	{Name: "u16", Type: arrow.PrimitiveTypes.Uint16, Nullable: true},
	{Name: "f32", Type: arrow.PrimitiveTypes.Float32},
	{Name: "i64", Type: arrow.PrimitiveTypes.Int64},
	{Name: "d", Type: arrow.FixedWidthTypes.Duration_ns},
	{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "b", Type: arrow.BinaryTypes.Binary, Nullable: true},
	{Name: "time", Type: arrow.StructOf(
		arrow.Field{Name: "sec", Type: arrow.FixedWidthTypes.Timestamp_s},
		arrow.Field{Name: "nano", Type: arrow.PrimitiveTypes.Int32})},
	{Name: "triple", Type: arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Int16)},
	{Name: "words", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
}, nil)

// rows is the content of n rows of everything.
func rows(n int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"bool":%t,"i8":%d,"u16":null,"f32":1.5,"i64":%d,"d":%d,"s":"key %d","b":null,"time":{"sec":%d,"nano":7},"triple":[1,2,%d],"words":["a","","c%d"]}`,
			i%2 == 0, i%100, i*1000, i, i, i, i%50, i)
	}
	b.WriteByte(']')
	return b.String()
}

func record(t testing.TB, n int) arrow.Record {
	t.Helper()
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, everything, strings.NewReader(rows(n)))
	if err != nil {
		t.Fatalf("record from JSON: %v", err)
	}
	return rec
}

func appendFrame(t testing.TB, dst []byte, rec arrow.Record) []byte {
	t.Helper()
	dst, err := frame.NewEncoder(rec.Schema()).Append(dst, rec)
	if err != nil {
		t.Fatalf("append frame: %v", err)
	}
	return dst
}

// stream returns a stream of the records.
func stream(t testing.TB, recs ...arrow.Record) []byte {
	t.Helper()
	var b []byte
	var n int64
	for _, rec := range recs {
		b = appendFrame(t, b, rec)
		n += rec.NumRows()
	}
	return frame.AppendEnd(b, int64(len(recs)), n)
}

// readAll reads a stream to its end and counts.
func readAll(r io.Reader, schema *arrow.Schema) (recs []arrow.Record, err error) {
	reader := frame.NewReader(r, schema)
	for {
		rec, err := reader.Next()
		if err == io.EOF {
			return recs, nil
		}
		if err != nil {
			return recs, err
		}
		recs = append(recs, rec)
	}
}

func TestRoundTrip(t *testing.T) {
	rec := record(t, 50)
	tests := map[string][]arrow.Record{
		"no frames":         nil,
		"no rows":           {rec.NewSlice(0, 0)},
		"a record":          {rec},
		"slices of records": {rec.NewSlice(3, 4), rec.NewSlice(17, 41), rec.NewSlice(49, 50)},
	}
	for name, recs := range tests {
		t.Run(name, func(t *testing.T) {
			b := stream(t, recs...)
			if len(b)%8 != 0 {
				t.Errorf("the stream is %d bytes long, which is no multiple of 8", len(b))
			}
			got, err := readAll(iotest.OneByteReader(bytes.NewReader(b)), everything)
			if err != nil {
				t.Fatalf("read: %v", err)
			}
			if len(got) != len(recs) {
				t.Fatalf("read %d records, wrote %d", len(got), len(recs))
			}
			for i := range recs {
				if !array.RecordEqual(got[i], recs[i]) {
					t.Errorf("record %d is %v, wrote %v", i, got[i], recs[i])
				}
			}
		})
	}
}

// A record keeps the frame's bytes and nothing is copied: what Decode allocates does not grow with the frame.
func TestDecodeCopiesNothing(t *testing.T) {
	rec := record(t, 1000)
	b := appendFrame(t, nil, rec)
	got, err := frame.Decode(b, everything)
	if err != nil {
		t.Fatal(err)
	}
	if !array.RecordEqual(got, rec) {
		t.Fatalf("decoded %v, wrote %v", got, rec)
	}
	allocated := allocatedBytes(func() { got, err = frame.Decode(b, everything) })
	if err != nil || allocated > 16<<10 {
		t.Errorf("decoding a frame of %d bytes allocated %d, error %v", len(b), allocated, err)
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	b := stream(t, record(t, 2), record(t, 1))
	for i := range len(b) * 8 {
		damaged := bytes.Clone(b)
		damaged[i/8] ^= 1 << (i % 8)
		if _, err := readAll(bytes.NewReader(damaged), everything); !errors.Is(err, frame.ErrCorrupt) {
			t.Fatalf("bit %d of byte %d flipped: error is %v, want ErrCorrupt", i%8, i/8, err)
		}
	}
}

func TestEveryCutIsFound(t *testing.T) {
	b := stream(t, record(t, 2), record(t, 1))
	for n := range b {
		_, err := readAll(bytes.NewReader(b[:n]), everything)
		if !errors.Is(err, frame.ErrCorrupt) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d of %d bytes: error is %v, want ErrCorrupt and ErrUnexpectedEOF", n, len(b), err)
		}
	}
}

func TestStreamThatIsNotWhatWasWritten(t *testing.T) {
	first, second := appendFrame(t, nil, record(t, 2)), appendFrame(t, nil, record(t, 3))
	end := frame.AppendEnd(nil, 2, 5)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	tests := map[string]struct {
		stream []byte
		want   string
	}{
		"garbage behind":       {join(first, second, end, []byte{0}), "bytes after the end mark"},
		"two streams":          {join(first, second, end, end), "bytes after the end mark"},
		"a frame is missing":   {join(first, end), "end after 1 frames and 2 rows, written were 2 and 5"},
		"a frame stands twice": {join(first, first, second, end), "end after 3 frames and 7 rows, written were 2 and 5"},
		"another frame":        {join(first, first, end), "end after 2 frames and 4 rows, written were 2 and 5"},
		"no end":               {join(first, second), "header cut short"},
		"nothing":              {nil, "header cut short"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := readAll(bytes.NewReader(test.stream), everything)
			if !errors.Is(err, frame.ErrCorrupt) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want ErrCorrupt with %q", err, test.want)
			}
		})
	}
}

// A frame under a schema that is not its own is refused: it never comes out as other data of a shorter shape.
func TestOtherSchema(t *testing.T) {
	b := appendFrame(t, nil, record(t, 4))
	fields := everything.Fields()
	tests := map[string][]arrow.Field{
		"fewer columns": fields[:3],
		"more columns":  append(fields[:len(fields):len(fields)], fields[0]),
		"wider column":  append([]arrow.Field{{Name: "bool", Type: arrow.BinaryTypes.String}}, fields[1:]...),
		"dictionary":    {{Name: "x", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}}},
	}
	for name, fields := range tests {
		t.Run(name, func(t *testing.T) {
			if rec, err := frame.Decode(b, arrow.NewSchema(fields, nil)); !errors.Is(err, frame.ErrCorrupt) {
				t.Errorf("decoded %v, error %v, want ErrCorrupt", rec, err)
			}
		})
	}
}

func TestDecodeWantsOneWholeFrame(t *testing.T) {
	b := appendFrame(t, nil, record(t, 2))
	for _, damaged := range [][]byte{nil, b[:7], b[:len(b)-1], append(bytes.Clone(b), 0), frame.AppendEnd(nil, 0, 0)} {
		if _, err := frame.Decode(damaged, everything); !errors.Is(err, frame.ErrCorrupt) {
			t.Errorf("decode of %d bytes: error is %v, want ErrCorrupt", len(damaged), err)
		}
		if err := frame.Verify(damaged); !errors.Is(err, frame.ErrCorrupt) {
			t.Errorf("verify of %d bytes: error is %v, want ErrCorrupt", len(damaged), err)
		}
	}
	for i := range b {
		damaged := bytes.Clone(b)
		damaged[i] ^= 1
		if err := frame.Verify(damaged); !errors.Is(err, frame.ErrCorrupt) {
			t.Errorf("byte %d flipped: verify gives %v, want ErrCorrupt", i, err)
		}
	}
	if err := frame.Verify(b); err != nil {
		t.Errorf("verify: %v", err)
	}
	for _, damaged := range [][]byte{nil, b, frame.AppendEnd(nil, 1, 2)[:frame.EndBytes-1], frame.AppendEnd(nil, 1, 3), frame.AppendEnd(nil, 2, 2)} {
		if err := frame.CheckEnd(damaged, 1, 2); !errors.Is(err, frame.ErrCorrupt) {
			t.Errorf("check end of %d bytes: error is %v, want ErrCorrupt", len(damaged), err)
		}
	}
	if err := frame.CheckEnd(frame.AppendEnd(nil, 1, 2), 1, 2); err != nil {
		t.Errorf("check end: %v", err)
	}
}

func TestRecordLargerThanAFrame(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "value", Type: arrow.BinaryTypes.Binary}}, nil)
	offsets := arrow.Int32Traits.CastToBytes([]int32{0, frame.MaxBytes})
	data := array.NewData(arrow.BinaryTypes.Binary, 1, []*memory.Buffer{
		nil, memory.NewBufferBytes(offsets), memory.NewBufferBytes(make([]byte, frame.MaxBytes)),
	}, nil, 0, 0)
	rec := array.NewRecord(schema, []arrow.Array{array.MakeFromData(data)}, 1)
	e := frame.NewEncoder(schema)
	dst, err := e.Append([]byte("before"), rec)
	if !errors.Is(err, frame.ErrTooLarge) || string(dst) != "before" {
		t.Fatalf("%d bytes came back, error %v, want ErrTooLarge", len(dst), err)
	}
	small := rec.NewSlice(0, 0)
	if dst, err = e.Append(nil, small); err != nil {
		t.Fatalf("the encoder is of no use after a refused record: %v", err)
	}
	if _, err := frame.Decode(dst, schema); err != nil {
		t.Error(err)
	}
}

// A header that claims the largest frame with nothing behind it is honest about its own checksum, so only the way of
// reading bounds the allocation.
func TestClaimedLengthIsNotAllocated(t *testing.T) {
	b := frame.BatchHeader(frame.MaxBytes-frame.HeaderBytes, 1, 0)
	var err error
	allocated := allocatedBytes(func() { _, err = readAll(bytes.NewReader(b), everything) })
	if !errors.Is(err, frame.ErrCorrupt) {
		t.Errorf("error is %v, want ErrCorrupt", err)
	}
	if allocated > 2<<20 {
		t.Errorf("%d bytes were allocated for a frame that is not there", allocated)
	}
	if _, err = readAll(bytes.NewReader(frame.BatchHeader(frame.MaxBytes, 1, 0)), everything); err == nil || !strings.Contains(err.Error(), "over the cap") {
		t.Errorf("error is %v, want one about the cap", err)
	}
}

// A frame that is longer than the first read arrives whole.
func TestLongFrame(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "value", Type: arrow.BinaryTypes.Binary}}, nil)
	value := bytes.Repeat([]byte("0123456789"), 700_000)
	b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
	b.Append(value)
	recs, err := readAll(bytes.NewReader(stream(t, array.NewRecord(schema, []arrow.Array{b.NewArray()}, 1))), schema)
	if err != nil {
		t.Fatal(err)
	}
	if got := recs[0].Column(0).(*array.Binary).Value(0); !bytes.Equal(got, value) {
		t.Errorf("%d bytes came back changed", len(got))
	}
}

func TestReadErrorIsNoCorruption(t *testing.T) {
	broken := errors.New("connection reset")
	b := stream(t, record(t, 2))
	r := frame.NewReader(io.MultiReader(bytes.NewReader(b[:100]), iotest.ErrReader(broken)), everything)
	for range 2 { // the error stays
		if _, err := r.Next(); !errors.Is(err, broken) || errors.Is(err, frame.ErrCorrupt) {
			t.Errorf("error is %v, want %v", err, broken)
		}
	}
}

func allocatedBytes(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
