package batch

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// ErrTooLarge means that a batch cannot hold the records appended to it: a column of strings, bytes or lists ends at
// 2 GiB.
var ErrTooLarge = errors.New("a column of one batch would pass 2 GiB")

// ErrSchema means that a record's columns are not those of the type it is decoded to.
var ErrSchema = errors.New("the batch has another schema than its type")

// Codec moves records of type T to Arrow columns and back.
type Codec[T any] struct {
	schema *arrow.Schema
	fields []field
}

// field is one column of a record: a Go value at a fixed offset.
type field struct {
	name   string
	offset uintptr
	column column
}

// column compiles to the two sides of one Go type. Both see values at base, base+stride, ...
type column interface {
	dataType() arrow.DataType
	nullable() bool
	appender(mem memory.Allocator) appender
	reader() reader
}

// appender collects the values of one column.
type appender interface {
	// append adds the n values at base, base+stride, ...
	append(base unsafe.Pointer, stride uintptr, n int) error
	// bytes is the size of the values collected.
	bytes() int
	// take hands the collected values over as n Arrow values and starts anew.
	take(n int) *array.Data
	// release drops the collected values.
	release()
}

// reader decodes one column.
type reader interface {
	// reset points the reader at arr, which has been checked to be of the column's type.
	reset(arr arrow.Array)
	// read decodes n values, beginning at row from, to base, base+stride, ...
	read(base unsafe.Pointer, stride uintptr, from, n int)
}

// codecs caches *Codec[T] by T's reflect.Type.
var codecs sync.Map

// CodecOf returns the codec of T. The error names the field whose type is not supported.
func CodecOf[T any]() (*Codec[T], error) {
	t := reflect.TypeFor[T]()
	if c, ok := codecs.Load(t); ok {
		return c.(*Codec[T]), nil
	}
	fields, err := compileRecord(t)
	if err != nil {
		return nil, err
	}
	c := &Codec[T]{fields: fields}
	columns := make([]arrow.Field, len(fields))
	for i, f := range fields {
		columns[i] = arrow.Field{Name: f.name, Type: f.column.dataType(), Nullable: f.column.nullable()}
	}
	c.schema = arrow.NewSchema(columns, nil)
	codecs.Store(t, c)
	return c, nil
}

// Schema returns the columns of a record.
func (c *Codec[T]) Schema() *arrow.Schema { return c.schema }

// Builder collects records of type T as columns.
type Builder[T any] struct {
	codec  *Codec[T]
	fields []appender
	rows   int
}

// NewBuilder returns an empty builder whose columns are allocated from mem.
func (c *Codec[T]) NewBuilder(mem memory.Allocator) *Builder[T] {
	b := &Builder[T]{codec: c}
	for _, f := range c.fields {
		b.fields = append(b.fields, f.column.appender(mem))
	}
	return b
}

// Append adds rows, which are copied. After an error the builder holds a part of them and can only be released.
func (b *Builder[T]) Append(rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	base := unsafe.Pointer(unsafe.SliceData(rows))
	var zero T
	for i, f := range b.codec.fields {
		if err := b.fields[i].append(unsafe.Add(base, f.offset), unsafe.Sizeof(zero), len(rows)); err != nil {
			return err
		}
	}
	b.rows += len(rows)
	return nil
}

// Len returns the number of rows collected.
func (b *Builder[T]) Len() int { return b.rows }

// Bytes returns the size of the rows collected.
func (b *Builder[T]) Bytes() int {
	n := 0
	for _, f := range b.fields {
		n += f.bytes()
	}
	return n
}

// Record hands the collected rows over as a record, which the caller releases, and starts anew.
func (b *Builder[T]) Record() arrow.Record {
	columns := make([]arrow.Array, len(b.fields))
	for i, f := range b.fields {
		data := f.take(b.rows)
		columns[i] = array.MakeFromData(data)
		data.Release()
	}
	rec := array.NewRecord(b.codec.schema, columns, int64(b.rows))
	for _, c := range columns {
		c.Release()
	}
	b.rows = 0
	return rec
}

// Release drops what has been collected.
func (b *Builder[T]) Release() {
	for _, f := range b.fields {
		f.release()
	}
	b.rows = 0
}

// Decoder reads the rows of one record after the other.
type Decoder[T any] struct {
	codec  *Codec[T]
	fields []reader
	rows   int
}

// NewDecoder returns a decoder without a record.
func (c *Codec[T]) NewDecoder() *Decoder[T] {
	d := &Decoder[T]{codec: c}
	for _, f := range c.fields {
		d.fields = append(d.fields, f.column.reader())
	}
	return d
}

// Reset points the decoder at rec, which must stay unreleased while rows are read. Strings and byte slices read from it
// are views of its buffers.
func (d *Decoder[T]) Reset(rec arrow.Record) error {
	if err := d.codec.check(rec); err != nil {
		return err
	}
	for i, f := range d.fields {
		f.reset(rec.Column(i))
	}
	d.rows = int(rec.NumRows())
	return nil
}

// check compares names and types, and looks for nulls where there can be none.
func (c *Codec[T]) check(rec arrow.Record) error {
	if schema := rec.Schema(); schema != c.schema && !schema.Equal(c.schema) {
		return fmt.Errorf("%w: got %v, want %v", ErrSchema, schema, c.schema)
	}
	for i, f := range c.schema.Fields() {
		if err := checkNulls(rec.Column(i), f, f.Name); err != nil {
			return err
		}
	}
	return nil
}

// checkNulls refuses nulls where the field, at path in its record, has none. What lies below a null is not looked at, as
// it means nothing.
func checkNulls(column arrow.Array, f arrow.Field, path string) error {
	if column.NullN() > 0 {
		if !f.Nullable {
			return fmt.Errorf("%w: column %q holds nulls; its type would have to be Optional", ErrSchema, path)
		}
		return nil
	}
	switch c := column.(type) {
	case *array.Struct:
		for i, child := range f.Type.(*arrow.StructType).Fields() {
			if err := checkNulls(c.Field(i), child, path+"."+child.Name); err != nil {
				return err
			}
		}
	case *array.List:
		return checkNulls(c.ListValues(), f.Type.(*arrow.ListType).ElemField(), path+".[]")
	case *array.FixedSizeList:
		return checkNulls(c.ListValues(), f.Type.(*arrow.FixedSizeListType).ElemField(), path+".[]")
	}
	return nil
}

// Len returns the number of rows of the current record.
func (d *Decoder[T]) Len() int { return d.rows }

// Read decodes len(rows) rows, beginning at row from.
func (d *Decoder[T]) Read(rows []T, from int) {
	if len(rows) == 0 {
		return
	}
	base := unsafe.Pointer(unsafe.SliceData(rows))
	var zero T
	for i, f := range d.codec.fields {
		d.fields[i].read(unsafe.Add(base, f.offset), unsafe.Sizeof(zero), from, len(rows))
	}
}

// ReadField decodes one field of one row into that of row and leaves its other fields as they are: for a reader that
// goes from row to row in an order of its own and needs no more.
func (d *Decoder[T]) ReadField(field int, row *T, from int) {
	d.fields[field].read(unsafe.Add(unsafe.Pointer(row), d.codec.fields[field].offset), unsafe.Sizeof(*row), from, 1)
}
