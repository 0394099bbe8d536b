package jsontext

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"fletch/engine/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// marshal is encoding/json without the escapes that HTML needs.
func marshal(t *testing.T, v any) string {
	t.Helper()
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.String()[:out.Len()-1]
}

func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "ü\u2028\u2029\ufffd", "\xff\xc3", "<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(AppendString(nil, s)), marshal(t, s); got != want {
			t.Errorf("%q became %s, want %s", s, got, want)
		}
	})
}

// everything has a field of each kind that encoding/json writes as this package does.
type everything struct {
	Bool   bool
	I8     int8
	I16    int16
	I32    int32
	I64    int64
	Int    int
	U8     uint8
	U16    uint16
	U32    uint32
	U64    uint64
	F32    float32
	F64    float64
	Text   string `fletch:"t x" json:"t x"`
	Bytes  []byte
	Wait   time.Duration
	At     time.Time
	List   []string
	Lists  [][]int16
	Array  [3]float64
	Inner  struct{ A, B string }
	Inners []struct{ C []bool }
}

func drawEverything(t *rapid.T) everything {
	number := rapid.Custom(func(t *rapid.T) float64 {
		if f := rapid.Float64().Draw(t, "f"); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
		return 0
	})
	text := rapid.String()
	return everything{
		Bool: rapid.Bool().Draw(t, "Bool"), I8: rapid.Int8().Draw(t, "I8"), I16: rapid.Int16().Draw(t, "I16"),
		I32: rapid.Int32().Draw(t, "I32"), I64: rapid.Int64().Draw(t, "I64"), Int: rapid.Int().Draw(t, "Int"),
		U8: rapid.Uint8().Draw(t, "U8"), U16: rapid.Uint16().Draw(t, "U16"), U32: rapid.Uint32().Draw(t, "U32"),
		U64: rapid.Uint64().Draw(t, "U64"), F64: number.Draw(t, "F64"), Text: text.Draw(t, "Text"),
		F32:   rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32).Draw(t, "F32"),
		Bytes: rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOf(rapid.Byte())).Draw(t, "Bytes"),
		Wait:  time.Duration(rapid.Int64().Draw(t, "Wait")),
		At:    time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "sec"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC(),
		List:  rapid.OneOf(rapid.Just([]string(nil)), rapid.SliceOf(text)).Draw(t, "List"),
		Lists: rapid.SliceOf(rapid.OneOf(rapid.Just([]int16(nil)), rapid.SliceOf(rapid.Int16()))).Draw(t, "Lists"),
		Array: [3]float64{number.Draw(t, "0"), number.Draw(t, "1"), number.Draw(t, "2")},
		Inner: struct{ A, B string }{text.Draw(t, "A"), text.Draw(t, "B")},
		Inners: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) struct{ C []bool } {
			return struct{ C []bool }{rapid.SliceOfN(rapid.Bool(), 0, 3).Draw(t, "C")}
		}), 0, 3).Draw(t, "Inners"),
	}
}

// Whatever a record holds, it is written as encoding/json writes it, also from a batch that begins in mid-buffer.
func TestLikeEncodingJSON(t *testing.T) {
	codec, err := batch.CodecOf[everything]()
	if err != nil {
		t.Fatal(err)
	}
	object := NewObject(codec.Schema().Fields())
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SliceOfN(rapid.Custom(drawEverything), 1, 5).Draw(rt, "rows")
		b := codec.NewBuilder(memory.DefaultAllocator)
		if err := b.Append(rows); err != nil {
			rt.Fatal(err)
		}
		whole := b.Record()
		defer whole.Release()
		first := rapid.IntRange(0, len(rows)-1).Draw(rt, "first")
		rec := whole.NewSlice(int64(first), int64(len(rows)))
		defer rec.Release()
		object.Reset(rec.Columns())
		for i, row := range rows[first:] {
			got, err := object.Append(nil, i)
			if err != nil {
				rt.Fatal(err)
			}
			if want := marshal(t, row); string(got) != want {
				rt.Fatalf("row %d:\n got %s\nwant %s", i, got, want)
			}
		}
	})
}
