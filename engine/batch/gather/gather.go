// Package gather moves rows of records into builders, a column at a time: what partitioning a record costs. A Selection
// groups the rows of a record by partition, a Source is a raw view of the record's columns, and a Builder collects the
// selected rows of many records in buffers of its own, one Builder for each partition.
//
// A call of Builder.Append costs one dynamic call per column, never one per row. Builders are measured in bytes. A
// Builder's record stands on the Builder's buffers: it has to be encoded or dropped before the next Append or Reset.
// Nothing here is reference counted or safe for use by two goroutines at once.
//
// The columns are those that datasets have: Boolean, the integers, floats, Duration and Timestamp, String, Binary,
// Struct, List and FixedSizeList, nested at will.
package gather

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
)

// width returns the bytes of a value of a fixed-width type, or zero.
func width(dt arrow.DataType) int {
	switch dt.ID() {
	case arrow.INT8, arrow.UINT8:
		return 1
	case arrow.INT16, arrow.UINT16:
		return 2
	case arrow.INT32, arrow.UINT32, arrow.FLOAT32:
		return 4
	case arrow.INT64, arrow.UINT64, arrow.FLOAT64, arrow.DURATION, arrow.TIMESTAMP:
		return 8
	default:
		return 0
	}
}

// supported returns an error that names the first column, at any depth, whose type cannot be gathered.
func supported(name string, dt arrow.DataType) error {
	switch dt := dt.(type) {
	case *arrow.BooleanType, *arrow.StringType, *arrow.BinaryType:
		return nil
	case *arrow.ListType:
		return supported(name, dt.Elem())
	case *arrow.FixedSizeListType:
		return supported(name, dt.Elem())
	case *arrow.StructType:
		for _, f := range dt.Fields() {
			if err := supported(name+"."+f.Name, f.Type); err != nil {
				return err
			}
		}
		return nil
	}
	if width(dt) == 0 {
		return fmt.Errorf("column %s: type %s cannot be moved between partitions", name, dt)
	}
	return nil
}

// grow makes room for n more elements. It doubles what is there, as append does with short slices only: a builder grows
// to some ten thousand values, and in steps of a quarter each would be moved four times on the way.
func grow[E any](s []E, n int) []E {
	if cap(s)-len(s) >= n {
		return s
	}
	return slices.Grow(s, max(n, 2*cap(s)-len(s)))
}
