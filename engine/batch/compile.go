package batch

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
)

// UnsupportedError says that records of a type cannot be moved to columns.
type UnsupportedError struct {
	Type  reflect.Type // of the record
	Field string       // the path to the field within the record; empty for the record itself
	Why   string
}

func (e *UnsupportedError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("type %v %s", e.Type, e.Why)
	}
	return fmt.Sprintf("type %v: field %s %s", e.Type, e.Field, e.Why)
}

const supported = "use bool, numbers, string, []byte, time.Time, time.Duration, Optional, and arrays, slices and structs of these"

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
)

// compiler walks one record type; it carries what an error needs and the structs it is inside of.
type compiler struct {
	record reflect.Type
	path   []string
	inside map[reflect.Type]bool
}

func (c *compiler) unsupported(format string, args ...any) error {
	return &UnsupportedError{Type: c.record, Field: strings.Join(c.path, "."), Why: fmt.Sprintf(format, args...)}
}

// compileRecord returns the columns of a record of type t.
func compileRecord(t reflect.Type) ([]field, error) {
	c := &compiler{record: t, inside: map[reflect.Type]bool{}}
	if isStruct(t) {
		return c.fields(t)
	}
	column, err := c.column(t)
	if err != nil {
		return nil, err
	}
	return []field{{name: "value", column: column}}, nil
}

// isStruct tells structs whose fields are columns from those that are one value.
func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !isTime(t) && !isOptional(t)
}

// fields compiles the fields of a struct, those of embedded structs among their own names.
func (c *compiler) fields(t reflect.Type) ([]field, error) {
	if c.inside[t] {
		return nil, c.unsupported("contains itself; a record must have a fixed shape")
	}
	c.inside[t] = true
	defer delete(c.inside, t)

	var out []field
	seen := map[string]string{}
	for f := range t.Fields() {
		name, skip := columnName(f)
		if skip {
			continue
		}
		c.path = append(c.path, f.Name)
		if !f.IsExported() {
			return nil, c.unsupported("is not exported; export it, or leave it out with the tag `fletch:\"-\"`")
		}
		if other, ok := seen[name]; ok {
			return nil, c.unsupported("has the column name %q, as has field %s", name, other)
		}
		seen[name] = f.Name
		column, err := c.column(f.Type)
		if err != nil {
			return nil, err
		}
		out = append(out, field{name: name, offset: f.Offset, column: column})
		c.path = c.path[:len(c.path)-1]
	}
	return out, nil
}

// columnName returns the name that the field's tag gives, or its own.
func columnName(f reflect.StructField) (name string, skip bool) {
	switch tag := f.Tag.Get("fletch"); tag {
	case "-":
		return "", true
	case "":
		return f.Name, f.Name == "_"
	default:
		return tag, false
	}
}

// column compiles one value.
func (c *compiler) column(t reflect.Type) (column, error) {
	switch {
	case isTime(t):
		return timeColumn{}, nil
	case t == durationType:
		return fixedColumn[int64]{arrow.FixedWidthTypes.Duration_ns}, nil
	case isOptional(t):
		return c.optional(t)
	}
	switch t.Kind() {
	case reflect.Struct:
		fields, err := c.fields(t)
		if err != nil {
			return nil, err
		}
		return structColumn{fields}, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return binaryColumn{}, nil
		}
		element, err := c.element(t)
		if err != nil {
			return nil, err
		}
		return listColumn{slice: t, element: element}, nil
	case reflect.Array:
		if n := t.Len(); n == 0 || n > math.MaxInt32 { // what a FixedSizeList can hold
			return nil, c.unsupported("is or holds an array of %d elements; it must have at least one and at most %d", n, math.MaxInt32)
		}
		element, err := c.element(t)
		if err != nil {
			return nil, err
		}
		return arrayColumn{n: t.Len(), size: t.Elem().Size(), element: element}, nil
	}
	if s, ok := scalarColumn(t.Kind()); ok {
		return s, nil
	}
	if len(c.path) == 0 {
		return nil, c.unsupported("is not supported; %s", supported)
	}
	return nil, c.unsupported("has type %v, which is not supported; %s", t, supported)
}

// element compiles what an array or a slice holds.
func (c *compiler) element(t reflect.Type) (column, error) {
	c.path = append(c.path, "[]")
	element, err := c.column(t.Elem())
	if err == nil {
		c.path = c.path[:len(c.path)-1]
	}
	return element, err
}

// optional compiles Optional[T] to a nullable column of T, boxed in a struct where T's own column may be null.
func (c *compiler) optional(t reflect.Type) (column, error) {
	value, _ := t.FieldByName("Value")
	valid, _ := t.FieldByName("Valid")
	inner, err := c.column(value.Type)
	if err != nil {
		return nil, err
	}
	if inner.nullable() {
		inner = structColumn{[]field{{name: "value", column: inner}}}
	}
	return optionalColumn{value: inner, valueType: value.Type, validOffset: valid.Offset}, nil
}

func scalarColumn(k reflect.Kind) (column, bool) {
	switch k {
	case reflect.Bool:
		return boolColumn{}, true
	case reflect.Int, reflect.Int64:
		return fixedColumn[int64]{arrow.PrimitiveTypes.Int64}, true
	case reflect.Int8:
		return fixedColumn[int8]{arrow.PrimitiveTypes.Int8}, true
	case reflect.Int16:
		return fixedColumn[int16]{arrow.PrimitiveTypes.Int16}, true
	case reflect.Int32:
		return fixedColumn[int32]{arrow.PrimitiveTypes.Int32}, true
	case reflect.Uint, reflect.Uint64:
		return fixedColumn[uint64]{arrow.PrimitiveTypes.Uint64}, true
	case reflect.Uint8:
		return fixedColumn[uint8]{arrow.PrimitiveTypes.Uint8}, true
	case reflect.Uint16:
		return fixedColumn[uint16]{arrow.PrimitiveTypes.Uint16}, true
	case reflect.Uint32:
		return fixedColumn[uint32]{arrow.PrimitiveTypes.Uint32}, true
	case reflect.Float32:
		return fixedColumn[float32]{arrow.PrimitiveTypes.Float32}, true
	case reflect.Float64:
		return fixedColumn[float64]{arrow.PrimitiveTypes.Float64}, true
	case reflect.String:
		return stringColumn{}, true
	}
	return nil, false
}
