package gather_test

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"fletch/engine/batch/gather"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var leaves = []arrow.DataType{
	arrow.FixedWidthTypes.Boolean,
	arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
	arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64,
	arrow.FixedWidthTypes.Duration_ns, arrow.FixedWidthTypes.Timestamp_s,
	arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
}

// drawType draws a type that nests at most so deep.
func drawType(t *rapid.T, depth int) arrow.DataType {
	kind := 0
	if depth > 0 {
		kind = rapid.IntRange(0, 5).Draw(t, "kind")
	}
	switch kind {
	case 3:
		return arrow.ListOf(drawType(t, depth-1))
	case 4:
		return arrow.FixedSizeListOf(int32(rapid.IntRange(1, 3).Draw(t, "size")), drawType(t, depth-1))
	case 5:
		return arrow.StructOf(drawFields(t, depth-1)...)
	default:
		return rapid.SampledFrom(leaves).Draw(t, "leaf")
	}
}

func drawFields(t *rapid.T, depth int) []arrow.Field {
	fields := make([]arrow.Field, rapid.IntRange(1, 3).Draw(t, "fields"))
	for i := range fields {
		fields[i] = arrow.Field{Name: fmt.Sprint("f", i), Type: drawType(t, depth), Nullable: true}
	}
	return fields
}

// drawRecord draws a record of n rows that is a slice of a longer one.
func drawRecord(t *rapid.T, mem memory.Allocator, schema *arrow.Schema, n int) arrow.Record {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	before, after := rapid.IntRange(0, 3).Draw(t, "before"), rapid.IntRange(0, 3).Draw(t, "after")
	for i := range schema.NumFields() {
		nulls := rapid.SampledFrom([]int{0, 0, 3, 10}).Draw(t, "nulls in ten")
		for range before + n + after {
			appendValue(t, b.Field(i), nulls)
		}
	}
	whole := b.NewRecord()
	defer whole.Release()
	return whole.NewSlice(int64(before), int64(before+n))
}

// appendValue appends a random value, or a null in so many of ten cases.
func appendValue(t *rapid.T, b array.Builder, nulls int) {
	if rapid.IntRange(1, 10).Draw(t, "null") <= nulls {
		appendNull(b)
		return
	}
	number := func() int64 { return rapid.Int64().Draw(t, "number") }
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(number()&1 == 1)
	case *array.Int8Builder:
		b.Append(int8(number()))
	case *array.Int16Builder:
		b.Append(int16(number()))
	case *array.Int32Builder:
		b.Append(int32(number()))
	case *array.Int64Builder:
		b.Append(number())
	case *array.Uint8Builder:
		b.Append(uint8(number()))
	case *array.Uint16Builder:
		b.Append(uint16(number()))
	case *array.Uint32Builder:
		b.Append(uint32(number()))
	case *array.Uint64Builder:
		b.Append(uint64(number()))
	case *array.Float32Builder:
		b.Append(float32(number()))
	case *array.Float64Builder:
		b.Append(float64(number()))
	case *array.DurationBuilder:
		b.Append(arrow.Duration(number()))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(number()))
	case *array.StringBuilder:
		b.Append(drawText(t))
	case *array.BinaryBuilder:
		b.Append([]byte(drawText(t)))
	case *array.ListBuilder:
		b.Append(true)
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			appendValue(t, b.ValueBuilder(), nulls)
		}
	case *array.FixedSizeListBuilder:
		b.Append(true)
		for range b.Type().(*arrow.FixedSizeListType).Len() {
			appendValue(t, b.ValueBuilder(), nulls)
		}
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			appendValue(t, b.FieldBuilder(i), nulls)
		}
	default:
		t.Fatalf("no values for a %T", b)
	}
}

// appendNull appends a null. Arrow's builder of fixed size lists leaves the rows below to its caller.
func appendNull(b array.Builder) {
	switch b := b.(type) {
	case *array.FixedSizeListBuilder:
		b.AppendNull()
		for b.ValueBuilder().Len() < b.Len()*int(b.Type().(*arrow.FixedSizeListType).Len()) {
			appendNull(b.ValueBuilder())
		}
	case *array.StructBuilder:
		b.Append(false)
		for i := range b.NumField() {
			appendNull(b.FieldBuilder(i))
		}
	default:
		b.AppendNull()
	}
}

// drawText draws a text around the length that is copied at once.
func drawText(t *rapid.T) string {
	n := rapid.SampledFrom([]int{0, 1, 5, 15, 16, 17, 40}).Draw(t, "length")
	return strings.Repeat(string(rune('a'+rapid.IntRange(0, 25).Draw(t, "letter"))), n)
}

// What a builder holds is, at every moment, the rows of its partition in the order in which they came.
func TestGatherIsConcatenation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer mem.AssertSize(t, 0)
		schema := arrow.NewSchema(drawFields(t, 2), nil)
		partitions := rapid.IntRange(1, 4).Draw(t, "partitions")
		builders := make([]*gather.Builder, partitions)
		want := make([][]arrow.Record, partitions) // one row each
		for p := range builders {
			var err error
			if builders[p], err = gather.NewBuilder(schema); err != nil {
				t.Fatal(err)
			}
		}
		src := gather.NewSource(schema)
		var selection gather.Selection
		for range rapid.IntRange(1, 4).Draw(t, "batches") {
			n := rapid.IntRange(0, 12).Draw(t, "rows")
			rec := drawRecord(t, mem, schema, n)
			parts := rapid.SliceOfN(rapid.Uint32Range(0, uint32(partitions-1)), n, n).Draw(t, "parts")
			if err := src.Reset(rec); err != nil {
				t.Fatal(err)
			}
			if err := selection.Group(parts, partitions); err != nil {
				t.Fatal(err)
			}
			for i, p := range parts {
				want[p] = append(want[p], rec.NewSlice(int64(i), int64(i+1)))
			}
			for p, b := range builders {
				b.Append(src, selection.Rows(p))
			}
			rec.Release()
			p := rapid.IntRange(0, partitions-1).Draw(t, "partition to empty")
			compare(t, mem, builders[p], want[p])
			if rapid.Bool().Draw(t, "keep memory") {
				builders[p].Reset()
			} else {
				builders[p].Free()
				if n := builders[p].Capacity(); n != 0 {
					t.Fatalf("a freed builder holds %d bytes", n)
				}
			}
			want[p] = drop(want[p])
		}
		for p, b := range builders {
			compare(t, mem, b, want[p])
			drop(want[p])
		}
	})
}

// The size of a builder is what it takes, but for what the allocator rounds up.
func TestSizeOfBuilder(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int64}, {Name: "s", Type: arrow.BinaryTypes.String}, {Name: "b", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "l", Type: arrow.ListOf(arrow.FixedSizeListOf(2, arrow.PrimitiveTypes.Int8))},
		{Name: "t", Type: arrow.StructOf(arrow.Field{Name: "a", Type: arrow.PrimitiveTypes.Int16}, arrow.Field{Name: "b", Type: arrow.BinaryTypes.String})},
	}, nil)
	const n = 10_000
	builders := make([]*gather.Builder, n)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range builders {
		var err error
		if builders[i], err = gather.NewBuilder(schema); err != nil {
			t.Fatal(err)
		}
	}
	taken := (heap() - before) / n
	if size := builders[0].Size(); taken < size-size/16 || taken > size+size/4 {
		t.Errorf("a builder takes %d bytes, its size is %d", taken, size)
	}
	runtime.KeepAlive(builders)
}

func drop(recs []arrow.Record) []arrow.Record {
	for _, rec := range recs {
		rec.Release()
	}
	return nil
}

// compare compares a builder with the rows that it should hold.
func compare(t *rapid.T, mem memory.Allocator, b *gather.Builder, want []arrow.Record) {
	got := b.Record()
	defer got.Release()
	if b.Rows() != len(want) || got.NumRows() != int64(len(want)) {
		t.Fatalf("builder has %d rows, its record %d, want %d", b.Rows(), got.NumRows(), len(want))
	}
	if n := recordBytes(got); b.Bytes() != n || b.Capacity() < n {
		t.Fatalf("builder says %d bytes and capacity %d, the buffers of its record are %d", b.Bytes(), b.Capacity(), n)
	}
	if len(want) == 0 {
		return
	}
	for i, column := range got.Columns() {
		var pieces []arrow.Array
		for _, rec := range want {
			pieces = append(pieces, rec.Column(i))
		}
		whole, err := array.Concatenate(pieces, mem)
		if err != nil {
			t.Fatal(err)
		}
		if !array.Equal(column, whole) {
			t.Errorf("column %d (%s) is %v, want %v", i, column.DataType(), column, whole)
		}
		whole.Release()
	}
}

// recordBytes returns the length of a record's buffers.
func recordBytes(rec arrow.Record) int64 {
	var count func(arrow.ArrayData) int64
	count = func(data arrow.ArrayData) int64 {
		var n int64
		for _, b := range data.Buffers() {
			if b != nil {
				n += int64(b.Len())
			}
		}
		for _, c := range data.Children() {
			n += count(c)
		}
		return n
	}
	var n int64
	for _, c := range rec.Columns() {
		n += count(c.Data())
	}
	return n
}

// A slice of a record weighs what its own rows weigh, so that cutting a record in halves gets somewhere.
func TestSourceBytesOfSlices(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "s", Type: arrow.BinaryTypes.String},
		{Name: "l", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64)},
		{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	}, nil)
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, schema, strings.NewReader(
		`[{"s":"four","l":[1],"b":true},{"s":"","l":[],"b":null},{"s":"thirteen here","l":[1,2,3],"b":false}]`))
	if err != nil {
		t.Fatal(err)
	}
	src := gather.NewSource(schema)
	for _, test := range []struct{ from, to, want int64 }{
		{0, 0, 0},
		{0, 1, 4 + 4 + 4 + 8 + 1},
		{1, 2, 4 + 0 + 4 + 0 + 2},
		{2, 3, 4 + 13 + 4 + 24 + 1},
		{0, 3, 12 + 17 + 12 + 32 + 2},
	} {
		if err := src.Reset(rec.NewSlice(test.from, test.to)); err != nil {
			t.Fatal(err)
		}
		if got := src.Bytes(); got != test.want {
			t.Errorf("rows %d to %d take %d bytes, want %d", test.from, test.to, got, test.want)
		}
	}
}

func TestSelection(t *testing.T) {
	var s gather.Selection
	for _, parts := range [][]uint32{{2, 0, 2, 4, 0}, {}, {4, 4}, {0, 1, 2, 3, 4, 4, 3, 2, 1, 0}} {
		if err := s.Group(parts, 5); err != nil {
			t.Fatal(err)
		}
		for p := range uint32(5) {
			var want []uint32
			for i, q := range parts {
				if p == q {
					want = append(want, uint32(i))
				}
			}
			if got := s.Rows(int(p)); !slices.Equal(got, want) {
				t.Errorf("rows of partition %d of %v are %v, want %v", p, parts, got, want)
			}
		}
	}
	if err := s.Group([]uint32{0, 5}, 5); err == nil || !strings.Contains(err.Error(), "row 1 belongs to partition 5 of 5") {
		t.Errorf("error is %v", err)
	}
}

func TestRefusedSchemas(t *testing.T) {
	deep := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.ListOf(arrow.StructOf(
		arrow.Field{Name: "b", Type: arrow.FixedWidthTypes.Date32}))}}, nil)
	if _, err := gather.NewBuilder(deep); err == nil || !strings.Contains(err.Error(), "column a.b: type date32") {
		t.Errorf("error is %v, want one that names the column and its type", err)
	}
	int64s := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.PrimitiveTypes.Int64}}, nil)
	rec := array.NewRecord(arrow.NewSchema(nil, nil), nil, 0)
	if err := gather.NewSource(int64s).Reset(rec); err == nil {
		t.Error("a record of another schema was taken")
	}
}

// Two values of 1.5 GiB would overflow the offsets. The zero pages they stand on are never touched.
func TestOffsetsNeverOverflow(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "value", Type: arrow.BinaryTypes.Binary}}, nil)
	const half = 1 << 30
	data := array.NewData(arrow.BinaryTypes.Binary, 1, []*memory.Buffer{
		nil,
		memory.NewBufferBytes(arrow.Int32Traits.CastToBytes([]int32{0, half})),
		memory.NewBufferBytes(make([]byte, half)),
	}, nil, 0, 0)
	src := gather.NewSource(schema)
	if err := src.Reset(array.NewRecord(schema, []arrow.Array{array.MakeFromData(data)}, 1)); err != nil {
		t.Fatal(err)
	}
	b, err := gather.NewBuilder(schema)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GC()
	defer func() {
		if p := recover(); p == nil {
			t.Errorf("two values of %d bytes fit under an offset of %d", half, math.MaxInt32)
		}
	}()
	b.Append(src, []uint32{0, 0})
}
