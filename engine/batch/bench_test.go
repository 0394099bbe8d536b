package batch_test

import (
	"fmt"
	"testing"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/batch"
)

const benchRows = 4096

// ints and texts are what the benchmarks encode.
func ints() []int64 {
	rows := make([]int64, benchRows)
	for i := range rows {
		rows[i] = int64(i) * 7919
	}
	return rows
}

func texts() []string {
	rows := make([]string, benchRows)
	for i := range rows {
		rows[i] = fmt.Sprintf("word%06d", i)
	}
	return rows
}

// perRow reports the time of one of n rows.
func perRow(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
}

func benchmarkEncode[T any](b *testing.B, rows []T) {
	codec, err := batch.CodecOf[T]()
	if err != nil {
		b.Fatal(err)
	}
	builder := codec.NewBuilder(memory.NewGoAllocator())
	for b.Loop() {
		for from := 0; from < len(rows); from += 256 {
			if err := builder.Append(rows[from:min(from+256, len(rows))]); err != nil {
				b.Fatal(err)
			}
		}
		builder.Record().Release()
	}
	perRow(b, len(rows))
}

func benchmarkDecode[T any](b *testing.B, rows []T) {
	codec, err := batch.CodecOf[T]()
	if err != nil {
		b.Fatal(err)
	}
	builder := codec.NewBuilder(memory.NewGoAllocator())
	if err := builder.Append(rows); err != nil {
		b.Fatal(err)
	}
	rec := builder.Record()
	defer rec.Release()
	d := codec.NewDecoder()
	got := make([]T, 256)
	for b.Loop() {
		if err := d.Reset(rec); err != nil {
			b.Fatal(err)
		}
		for from := 0; from < len(rows); from += 256 {
			d.Read(got[:min(256, len(rows)-from)], from)
		}
	}
	perRow(b, len(rows))
}

func BenchmarkEncodeInt64(b *testing.B)  { benchmarkEncode(b, ints()) }
func BenchmarkEncodeString(b *testing.B) { benchmarkEncode(b, texts()) }
func BenchmarkDecodeInt64(b *testing.B)  { benchmarkDecode(b, ints()) }
func BenchmarkDecodeString(b *testing.B) { benchmarkDecode(b, texts()) }

// The columns below are written and read by hand, for one type: what the codec is compared with.

func BenchmarkByHandEncodeInt64(b *testing.B) {
	rows := ints()
	for b.Loop() {
		values := append(make([]int64, 0, benchRows), rows...)
		bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 8*len(values))
		data := array.NewData(arrow.PrimitiveTypes.Int64, len(rows), []*memory.Buffer{nil, memory.NewBufferBytes(bytes)}, nil, 0, 0)
		array.NewInt64Data(data).Release()
	}
	perRow(b, len(rows))
}

func BenchmarkByHandEncodeString(b *testing.B) {
	rows := texts()
	for b.Loop() {
		offsets, bytes := make([]int32, 1, benchRows+1), make([]byte, 0, 10*benchRows)
		for _, v := range rows {
			bytes = append(bytes, v...)
			offsets = append(offsets, int32(len(bytes)))
		}
		raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(offsets))), 4*len(offsets))
		data := array.NewData(arrow.BinaryTypes.String, len(rows), []*memory.Buffer{nil, memory.NewBufferBytes(raw), memory.NewBufferBytes(bytes)}, nil, 0, 0)
		array.NewStringData(data).Release()
	}
	perRow(b, len(rows))
}

func BenchmarkByHandDecodeInt64(b *testing.B) {
	rows := ints()
	builder := array.NewInt64Builder(memory.NewGoAllocator())
	builder.AppendValues(rows, nil)
	column := builder.NewInt64Array()
	got := make([]int64, 256)
	for b.Loop() {
		for from := 0; from < len(rows); from += 256 {
			for i, v := range column.Int64Values()[from:min(from+256, len(rows))] {
				got[i] = v
			}
		}
	}
	perRow(b, len(rows))
}

func BenchmarkByHandDecodeString(b *testing.B) {
	rows := texts()
	builder := array.NewStringBuilder(memory.NewGoAllocator())
	builder.AppendValues(rows, nil)
	column := builder.NewStringArray()
	got := make([]string, 256)
	for b.Loop() {
		offsets, bytes := column.ValueOffsets(), column.ValueBytes()
		for from := 0; from < len(rows); from += 256 {
			for i := range min(256, len(rows)-from) {
				start, end := offsets[from+i], offsets[from+i+1]
				got[i] = unsafe.String(&bytes[start], end-start)
			}
		}
	}
	perRow(b, len(rows))
}
