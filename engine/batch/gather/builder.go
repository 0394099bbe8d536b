package gather

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// Builder collects rows. Its columns have 32-bit offsets, so it must be emptied before it holds 2 GiB; Append panics
// rather than to let them overflow.
type Builder struct {
	schema  *arrow.Schema
	columns []column
	rows    int
}

// NewBuilder returns an empty Builder for rows of schema. It holds no memory before the first row.
func NewBuilder(schema *arrow.Schema) (*Builder, error) {
	b := &Builder{schema: schema, columns: make([]column, 0, schema.NumFields())}
	for _, f := range schema.Fields() {
		if err := supported(f.Name, f.Type); err != nil {
			return nil, fmt.Errorf("gather: %w", err)
		}
		b.columns = append(b.columns, newColumn(f.Type))
	}
	return b, nil
}

// Append appends rows of src, whose schema is that of the Builder.
func (b *Builder) Append(src *Source, rows []uint32) {
	for i, c := range b.columns {
		c.append(&src.columns[i], rows)
	}
	b.rows += len(rows)
}

// Rows returns the number of rows held.
func (b *Builder) Rows() int { return b.rows }

// Bytes returns the exact number of bytes in the buffers of the Builder's record.
func (b *Builder) Bytes() int64 {
	var n int64
	for _, c := range b.columns {
		n += c.bytes()
	}
	return n
}

// Size returns the bytes of the Builder itself, which it takes without a row as well.
func (b *Builder) Size() int64 {
	n := int64(unsafe.Sizeof(*b))
	for _, c := range b.columns {
		n += referenceBytes + c.size()
	}
	return n
}

// referenceBytes is what it takes to hold a column, beside the column.
const referenceBytes = int64(unsafe.Sizeof(column(nil)))

// Capacity returns the bytes of memory that the Builder holds for rows, filled or not.
func (b *Builder) Capacity() int64 {
	var n int64
	for _, c := range b.columns {
		n += c.capacity()
	}
	return n
}

// Record returns the rows as a record over the Builder's own buffers: it is valid until the next Append, Reset or Free.
func (b *Builder) Record() arrow.Record {
	columns := make([]arrow.Array, len(b.columns))
	for i, c := range b.columns {
		columns[i] = array.MakeFromData(c.data())
	}
	return array.NewRecord(b.schema, columns, int64(b.rows))
}

// Reset drops the rows and keeps the memory.
func (b *Builder) Reset() {
	for _, c := range b.columns {
		c.reset()
	}
	b.rows = 0
}

// Free drops the rows and the memory.
func (b *Builder) Free() {
	for _, c := range b.columns {
		c.free()
	}
	b.rows = 0
}

// column collects the rows of one column, and of the columns below it.
type column interface {
	append(src *view, rows []uint32)
	size() int64 // without rows
	bytes() int64
	capacity() int64
	data() arrow.ArrayData
	reset()
	free()
}

// newColumn returns a column of a supported type.
func newColumn(dt arrow.DataType) column {
	switch t := dt.(type) {
	case *arrow.BooleanType:
		return &boolean{}
	case *arrow.StringType, *arrow.BinaryType:
		return &binary{dt: dt}
	case *arrow.ListType:
		return &list{dt: t, child: newColumn(t.Elem())}
	case *arrow.FixedSizeListType:
		return &fixedList{dt: t, child: newColumn(t.Elem())}
	case *arrow.StructType:
		s := &structure{dt: t, children: make([]column, 0, t.NumFields())}
		for _, f := range t.Fields() {
			s.children = append(s.children, newColumn(f.Type))
		}
		return s
	}
	switch width(dt) {
	case 1:
		return &fixed[uint8]{dt: dt}
	case 2:
		return &fixed[uint16]{dt: dt}
	case 4:
		return &fixed[uint32]{dt: dt}
	default:
		return &fixed[uint64]{dt: dt}
	}
}
