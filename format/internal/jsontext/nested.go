package jsontext

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// nullable writes null where there is no value.
type nullable struct {
	value  Encoder
	column arrow.Array // nil: this batch's column has no nulls
}

func (e *nullable) Reset(c arrow.Array) {
	e.value.Reset(c)
	e.column = nil
	if c.NullN() > 0 {
		e.column = c
	}
}

func (e *nullable) Append(dst []byte, row int) ([]byte, error) {
	if e.column != nil && e.column.IsNull(row) {
		return append(dst, "null"...), nil
	}
	return e.value.Append(dst, row)
}

// Boxed returns the column inside of f if f is Optional of a type that has nulls of its own, which is put in a struct of
// one field. Both nulls are written alike.
func Boxed(f arrow.Field) (inner arrow.Field, ok bool) {
	t, isStruct := f.Type.(*arrow.StructType)
	if !isStruct || !f.Nullable || t.NumFields() != 1 || t.Field(0).Name != "value" || !t.Field(0).Nullable {
		return arrow.Field{}, false
	}
	inner = t.Field(0)
	inner.Name = f.Name
	return inner, true
}

type boxed struct{ value Encoder }

func (e *boxed) Reset(c arrow.Array) { e.value.Reset(c.(*array.Struct).Field(0)) }
func (e *boxed) Append(dst []byte, row int) ([]byte, error) {
	return e.value.Append(dst, row)
}

// list writes the rows of List and FixedSizeList columns.
type list struct {
	element Encoder
	column  array.ListLike
}

func (e *list) Reset(c arrow.Array) {
	e.column = c.(array.ListLike)
	e.element.Reset(e.column.ListValues())
}

func (e *list) Append(dst []byte, row int) ([]byte, error) {
	from, to := e.column.ValueOffsets(row)
	dst = append(dst, '[')
	for i := from; i < to; i++ {
		if i > from {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = e.element.Append(dst, int(i)); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// Object writes rows as objects, with a member for each column.
type Object struct {
	keys    [][]byte // with what stands before and behind: {"a": ,"b":
	members []Encoder
}

// NewObject returns the writer of a batch's rows.
func NewObject(fields []arrow.Field) *Object {
	o := &Object{}
	for i, f := range fields {
		key := []byte{','}
		if i == 0 {
			key[0] = '{'
		}
		o.keys = append(o.keys, append(AppendString(key, f.Name), ':'))
		o.members = append(o.members, Compile(f))
	}
	return o
}

// Reset points the writer at a batch's columns.
func (o *Object) Reset(columns []arrow.Array) {
	for i, m := range o.members {
		m.Reset(columns[i])
	}
}

// Append appends a row.
func (o *Object) Append(dst []byte, row int) (_ []byte, err error) {
	if len(o.members) == 0 {
		dst = append(dst, '{')
	}
	for i, m := range o.members {
		dst = append(dst, o.keys[i]...)
		if dst, err = m.Append(dst, row); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// newObject returns the encoder of a column of structs.
func newObject(name string, t *arrow.StructType) *object {
	return &object{Object: NewObject(t.Fields()), name: name, columns: make([]arrow.Array, t.NumFields())}
}

// object is an Object in a column of structs.
type object struct {
	*Object
	name    string
	columns []arrow.Array
}

func (e *object) Reset(c arrow.Array) {
	s := c.(*array.Struct)
	for i := range e.columns {
		e.columns[i] = s.Field(i) // cut to the struct's own rows
	}
	e.Object.Reset(e.columns)
}

func (e *object) Append(dst []byte, row int) ([]byte, error) {
	dst, err := e.Object.Append(dst, row)
	if err != nil {
		err = fmt.Errorf("column %s: %w", e.name, err)
	}
	return dst, err
}
