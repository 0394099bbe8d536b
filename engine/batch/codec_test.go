package batch_test

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"fletch/engine/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	name  string
	inner struct {
		Word  name
		Score batch.Optional[float64]
	}
	record struct {
		Bool  bool
		Int   int
		I8    int8
		I16   int16
		I32   int32
		I64   int64
		Uint  uint
		U8    uint8
		U16   uint16
		U32   uint32
		U64   uint64
		F32   float32
		F64   float64
		Text  string `fletch:"text"`
		Bytes []byte
		Time  time.Time
		Took  time.Duration
		Pair  [2]int16
		Names []name
		Inner inner
		Many  []inner
		Deep  [][]string
		Opt   batch.Optional[[]byte]
		Local int `fletch:"-"`
	}
)

// drawRecord draws a record of any content.
func drawRecord(t *rapid.T) record {
	text := rapid.SampledFrom([]string{"", "a", "\x00", "exactly 15 byte", "exactly 16 bytes", "a longer text with more than sixteen bytes", "\xff\xfe"})
	in := func() inner {
		v := inner{Word: name(text.Draw(t, "word"))}
		if rapid.Bool().Draw(t, "scored") {
			v.Score = batch.Some(rapid.Float64().Draw(t, "score"))
		}
		return v
	}
	r := record{
		Bool: rapid.Bool().Draw(t, "bool"), Int: rapid.Int().Draw(t, "int"), I8: rapid.Int8().Draw(t, "i8"),
		I16: rapid.Int16().Draw(t, "i16"), I32: rapid.Int32().Draw(t, "i32"), I64: rapid.Int64().Draw(t, "i64"),
		Uint: rapid.Uint().Draw(t, "uint"), U8: rapid.Uint8().Draw(t, "u8"), U16: rapid.Uint16().Draw(t, "u16"),
		U32: rapid.Uint32().Draw(t, "u32"), U64: rapid.Uint64().Draw(t, "u64"),
		F32: rapid.Float32().Draw(t, "f32"), F64: rapid.Float64().Draw(t, "f64"),
		Text:  text.Draw(t, "text"),
		Time:  time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "sec"), rapid.Int64Range(0, 999999999).Draw(t, "nano")).UTC(),
		Took:  time.Duration(rapid.Int64().Draw(t, "took")),
		Pair:  [2]int16{rapid.Int16().Draw(t, "p0"), rapid.Int16().Draw(t, "p1")},
		Inner: in(),
	}
	switch rapid.IntRange(0, 2).Draw(t, "shape") {
	case 1:
		r.Bytes, r.Names, r.Many, r.Deep, r.Opt = []byte{}, []name{}, []inner{}, [][]string{}, batch.Some([]byte(nil))
	case 2:
		r.Bytes, r.Names, r.Many = []byte(text.Draw(t, "bytes")), []name{name(text.Draw(t, "n0")), ""}, []inner{in(), in()}
		r.Deep, r.Opt = [][]string{nil, {}, {text.Draw(t, "deep"), "b"}}, batch.Some([]byte{1})
	}
	return r
}

func TestCodecRoundTrip(t *testing.T) { rapid.Check(t, codecRoundTrip) }

// codecRoundTrip encodes rows in two steps and decodes a slice of the record in two others.
func codecRoundTrip(t *rapid.T) {
	codec, err := batch.CodecOf[record]()
	if err != nil {
		t.Fatal(err)
	}
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	rows := rapid.SliceOfN(rapid.Custom(drawRecord), 0, 20).Draw(t, "rows")
	cut := rapid.IntRange(0, len(rows)).Draw(t, "cut")
	b := codec.NewBuilder(mem)
	for _, part := range [][]record{rows[:cut], rows[cut:]} {
		if err := b.Append(part); err != nil {
			t.Fatal(err)
		}
	}
	rec := b.Record()
	from := rapid.IntRange(0, len(rows)).Draw(t, "from")
	part := rec.NewSlice(int64(from), int64(len(rows)))
	d := codec.NewDecoder()
	if err := d.Reset(part); err != nil {
		t.Fatal(err)
	}
	got := make([]record, d.Len())
	half := len(got) / 2
	d.Read(got[:half], 0)
	d.Read(got[half:], half)
	for i, want := range rows[from:] {
		if !reflect.DeepEqual(got[i], want) {
			t.Fatalf("row %d\n got %+v\nwant %+v", i, got[i], want)
		}
	}
	part.Release()
	rec.Release()
	b.Release()
	if n := mem.CurrentAlloc(); n != 0 {
		t.Fatalf("%d bytes are not released", n)
	}
}

func TestScalarHasOneColumn(t *testing.T) {
	codec, err := batch.CodecOf[name]()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := codec.Schema().String(), "schema:\n  fields: 1\n    - value: type=utf8"; got != want {
		t.Errorf("schema %q, want %q", got, want)
	}
}

func TestNaNSurvives(t *testing.T) {
	codec, err := batch.CodecOf[float64]()
	if err != nil {
		t.Fatal(err)
	}
	b := codec.NewBuilder(memory.NewGoAllocator())
	if err := b.Append([]float64{math.NaN(), math.Copysign(0, -1)}); err != nil {
		t.Fatal(err)
	}
	rec := b.Record()
	defer rec.Release()
	d := codec.NewDecoder()
	if err := d.Reset(rec); err != nil {
		t.Fatal(err)
	}
	var got [2]float64
	d.Read(got[:], 0)
	if !math.IsNaN(got[0]) || !math.Signbit(got[1]) {
		t.Errorf("got %v, want NaN and -0", got)
	}
}

type list struct{ Next []list }

func TestUnsupported(t *testing.T) {
	for _, c := range []struct {
		name string
		err  func() error
		want string
	}{
		{"map", errOf[map[string]int], "type map[string]int is not supported; use bool"},
		{"func field", errOf[struct{ Do func() }], "field Do has type func(), which is not supported"},
		{"nested", errOf[struct{ In struct{ C chan int } }], "field In.C has type chan int"},
		{"element", errOf[struct{ L []any }], "field L.[] has type interface {}"},
		{"unexported", errOf[struct{ a int }], "field a is not exported; export it, or leave it out with the tag"},
		{"no elements", errOf[struct{ A [0]int }], "field A is or holds an array of 0 elements"},
		{"recursive", errOf[list], "field Next.[] contains itself"},
		{"pointer", errOf[*int], "type *int is not supported"},
		{"one name twice", errOf[struct {
			A int `fletch:"x"`
			B int `fletch:"x"`
		}], `field B has the column name "x", as has field A`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.err(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func errOf[T any]() error {
	_, err := batch.CodecOf[T]()
	return err
}

func TestForeignSchemaIsRefused(t *testing.T) {
	codec, _ := batch.CodecOf[string]()
	other, _ := batch.CodecOf[int]()
	rec := other.NewBuilder(memory.NewGoAllocator()).Record()
	defer rec.Release()
	if err := codec.NewDecoder().Reset(rec); err == nil {
		t.Error("a record of ints was taken for one of strings")
	}
}

// TestEmptyStringIsNoView guards against a view that begins where its buffer ends: the garbage collector would take it
// for a pointer to the next object.
func TestEmptyStringIsNoView(t *testing.T) {
	codec, err := batch.CodecOf[string]()
	if err != nil {
		t.Fatal(err)
	}
	b := codec.NewBuilder(memory.NewGoAllocator())
	if err := b.Append([]string{"full", ""}); err != nil {
		t.Fatal(err)
	}
	rec := b.Record()
	defer rec.Release()
	d := codec.NewDecoder()
	if err := d.Reset(rec); err != nil {
		t.Fatal(err)
	}
	var got [2]string
	d.Read(got[:], 0)
	if got != [2]string{"full", ""} || unsafe.StringData(got[1]) != nil {
		t.Errorf("got %q, the empty one at %p", got, unsafe.StringData(got[1]))
	}
}

// TestNullsAreRefused gives the decoder a null where the type has no room for it: at the top, in a struct and in a list.
func TestNullsAreRefused(t *testing.T) {
	type row struct {
		In struct{ N int64 }
		L  []int64
	}
	codec, err := batch.CodecOf[row]()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path   string
		append func(in *array.StructBuilder, n *array.Int64Builder, l *array.ListBuilder, e *array.Int64Builder)
	}{
		{"", func(in *array.StructBuilder, n *array.Int64Builder, l *array.ListBuilder, e *array.Int64Builder) {
			in.Append(true)
			n.Append(1)
			l.AppendNull() // a nil slice
		}},
		{"In", func(in *array.StructBuilder, _ *array.Int64Builder, l *array.ListBuilder, _ *array.Int64Builder) {
			in.AppendNull()
			l.AppendNull()
		}},
		{"In.N", func(in *array.StructBuilder, n *array.Int64Builder, l *array.ListBuilder, _ *array.Int64Builder) {
			in.Append(true)
			n.AppendNull()
			l.AppendNull()
		}},
		{"L.[]", func(in *array.StructBuilder, n *array.Int64Builder, l *array.ListBuilder, e *array.Int64Builder) {
			in.Append(true)
			n.Append(1)
			l.Append(true)
			e.AppendNull()
		}},
	} {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), codec.Schema())
		in, l := b.Field(0).(*array.StructBuilder), b.Field(1).(*array.ListBuilder)
		c.append(in, in.FieldBuilder(0).(*array.Int64Builder), l, l.ValueBuilder().(*array.Int64Builder))
		rec := b.NewRecord()
		err := codec.NewDecoder().Reset(rec)
		if want := fmt.Sprintf("column %q holds nulls", c.path); c.path == "" && err != nil || c.path != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("path %q: error %v", c.path, err)
		}
		rec.Release()
		b.Release()
	}
}
