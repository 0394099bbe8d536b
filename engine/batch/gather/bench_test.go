package gather_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/batch/gather"
)

// BenchmarkGather moves batches of 8192 rows (words of about 10 bytes, a count) into builders that are emptied at 64 KiB.
func BenchmarkGather(b *testing.B) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "key", Type: arrow.BinaryTypes.String},
		{Name: "value", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	const rows = 8192
	rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := range rows {
		rb.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("word %d", i*7919%100_000))
		rb.Field(1).(*array.Int64Builder).Append(int64(i))
	}
	rec := rb.NewRecord()
	for _, partitions := range []int{1, 32, 1000} {
		b.Run(fmt.Sprint(partitions), func(b *testing.B) {
			parts := make([]uint32, rows)
			for i := range parts {
				parts[i] = uint32(i) * 2654435761 % uint32(partitions)
			}
			builders := make([]*gather.Builder, partitions)
			for p := range builders {
				builders[p], _ = gather.NewBuilder(schema)
			}
			src := gather.NewSource(schema)
			var selection gather.Selection
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				if err := src.Reset(rec); err != nil {
					b.Fatal(err)
				}
				if err := selection.Group(parts, partitions); err != nil {
					b.Fatal(err)
				}
				for p, builder := range builders {
					builder.Append(src, selection.Rows(p))
					if builder.Bytes() > 64<<10 {
						builder.Reset()
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			b.SetBytes(src.Bytes())
		})
	}
}
