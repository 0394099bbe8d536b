package batch

import "github.com/apache/arrow/go/v15/arrow"

// SizeOf returns the bytes of a record's buffers, of slices those of the whole.
func SizeOf(rec arrow.Record) (n int64) {
	for _, c := range rec.Columns() {
		n += sizeOf(c.Data())
	}
	return n
}

func sizeOf(data arrow.ArrayData) (n int64) {
	for _, b := range data.Buffers() {
		if b != nil {
			n += int64(b.Len())
		}
	}
	for _, child := range data.Children() {
		n += sizeOf(child)
	}
	return n
}
