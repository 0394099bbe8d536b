package jsontext

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Parser collects values of one column from JSON text as an Encoder writes it. It is not safe for concurrent use.
type Parser struct {
	field   arrow.Field
	builder array.Builder
}

// NewParser returns the parser of a column of the types that Compile knows, without values.
func NewParser(f arrow.Field) *Parser {
	return &Parser{field: f, builder: array.NewBuilder(memory.DefaultAllocator, f.Type)}
}

// Append adds the value that text is. After an error the parser must not be used any more.
func (p *Parser) Append(text []byte) error {
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return errors.New("it is no JSON text")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more behind the JSON text")
	}
	return parse(p.builder, p.field, value)
}

// AppendZero adds the zero value of the column's type, which has no nulls of its own.
func (p *Parser) AppendZero() { p.builder.AppendEmptyValue() }

// Take hands the collected values over as Arrow data, and the parser is empty again.
func (p *Parser) Take() *array.Data {
	a := p.builder.NewArray()
	defer a.Release()
	return retype(a.Data(), p.field.Type)
}

// retype gives data the type that its builder was asked for: builders forget of some nested types which of their
// elements may be null.
func retype(data arrow.ArrayData, t arrow.DataType) *array.Data {
	children := make([]arrow.ArrayData, len(data.Children()))
	if nested, ok := t.(arrow.NestedType); ok {
		for i, f := range nested.Fields() {
			children[i] = retype(data.Children()[i], f.Type)
			defer children[i].Release()
		}
	}
	return array.NewData(t, data.Len(), data.Buffers(), children, data.NullN(), data.Offset())
}

// parse adds a value, as package json decodes it, to the builder of a column.
func parse(b array.Builder, f arrow.Field, value any) error {
	if value == nil {
		if !f.Nullable {
			return fmt.Errorf("null is no %s", nameOf(f.Type))
		}
		b.AppendNull()
		return nil
	}
	if inner, ok := Boxed(f); ok {
		box := b.(*array.StructBuilder)
		box.Append(true)
		return parse(box.FieldBuilder(0), inner, value)
	}
	if parseScalar(b, f.Type, value) {
		return nil
	}
	switch t := f.Type.(type) {
	case *arrow.StructType:
		if object, ok := value.(map[string]any); ok && !IsTime(t) {
			return parseObject(b.(*array.StructBuilder), t, object)
		}
	case arrow.ListLikeType:
		if elements, ok := value.([]any); ok {
			return parseList(b.(array.ListLikeBuilder), t, elements)
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return fmt.Errorf("%.40s is no %s", text, nameOf(f.Type))
}

// parseScalar reports whether value is one of type t.
func parseScalar(b array.Builder, t arrow.DataType, value any) bool {
	switch v := value.(type) {
	case bool:
		b, ok := b.(*array.BooleanBuilder)
		if ok {
			b.Append(v)
		}
		return ok
	case json.Number:
		return parseNumber(b, v.String())
	case string:
		return parseString(b, t, v)
	}
	return false
}

func parseNumber(b array.Builder, s string) bool {
	switch b := b.(type) {
	case *array.Int8Builder:
		return integer(s, 8, strconv.ParseInt, func(v int64) { b.Append(int8(v)) })
	case *array.Int16Builder:
		return integer(s, 16, strconv.ParseInt, func(v int64) { b.Append(int16(v)) })
	case *array.Int32Builder:
		return integer(s, 32, strconv.ParseInt, func(v int64) { b.Append(int32(v)) })
	case *array.Int64Builder:
		return integer(s, 64, strconv.ParseInt, func(v int64) { b.Append(v) })
	case *array.DurationBuilder:
		return integer(s, 64, strconv.ParseInt, func(v int64) { b.Append(arrow.Duration(v)) })
	case *array.Uint8Builder:
		return integer(s, 8, strconv.ParseUint, func(v uint64) { b.Append(uint8(v)) })
	case *array.Uint16Builder:
		return integer(s, 16, strconv.ParseUint, func(v uint64) { b.Append(uint16(v)) })
	case *array.Uint32Builder:
		return integer(s, 32, strconv.ParseUint, func(v uint64) { b.Append(uint32(v)) })
	case *array.Uint64Builder:
		return integer(s, 64, strconv.ParseUint, func(v uint64) { b.Append(v) })
	case *array.Float32Builder:
		return number(s, 32, func(v float64) { b.Append(float32(v)) })
	case *array.Float64Builder:
		return number(s, 64, b.Append)
	}
	return false
}

func integer[V int64 | uint64](s string, bits int, parse func(string, int, int) (V, error), add func(V)) bool {
	v, err := parse(s, 10, bits)
	if err == nil {
		add(v)
	}
	return err == nil
}

func number(s string, bits int, add func(float64)) bool {
	v, err := strconv.ParseFloat(s, bits)
	if err == nil {
		add(v)
	}
	return err == nil
}

// parseString adds what JSON has as strings: text, bytes and times.
func parseString(b array.Builder, t arrow.DataType, s string) bool {
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(s)
		return true
	case *array.BinaryBuilder:
		v, err := base64.StdEncoding.DecodeString(s)
		if err == nil {
			b.Append(v)
		}
		return err == nil
	case *array.StructBuilder:
		v, err := time.Parse(time.RFC3339, s)
		if err != nil || !IsTime(t.(*arrow.StructType)) {
			return false
		}
		b.Append(true)
		b.FieldBuilder(0).(*array.TimestampBuilder).Append(arrow.Timestamp(v.Unix()))
		b.FieldBuilder(1).(*array.Int32Builder).Append(int32(v.Nanosecond()))
		return true
	}
	return false
}

// parseObject adds an object that has the members of t and no others.
func parseObject(b *array.StructBuilder, t *arrow.StructType, object map[string]any) error {
	b.Append(true)
	for i, f := range t.Fields() {
		value, ok := object[f.Name]
		if !ok {
			return fmt.Errorf("an object lacks the member %q", f.Name)
		}
		if err := parse(b.FieldBuilder(i), f, value); err != nil {
			return fmt.Errorf("member %q: %w", f.Name, err)
		}
	}
	for name := range object {
		if _, ok := t.FieldByName(name); !ok {
			return fmt.Errorf("an object has the member %.40q, which its type has not", name)
		}
	}
	return nil
}

func parseList(b array.ListLikeBuilder, t arrow.ListLikeType, elements []any) error {
	if t, ok := t.(*arrow.FixedSizeListType); ok && len(elements) != int(t.Len()) {
		return fmt.Errorf("an array has %d elements, its type has %d", len(elements), t.Len())
	}
	b.Append(true)
	for i, value := range elements {
		if err := parse(b.ValueBuilder(), t.ElemField(), value); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

// nameOf names what JSON has for a type.
func nameOf(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.StructType:
		if IsTime(t) {
			return "time as RFC 3339 has it"
		}
		return "object"
	case arrow.ListLikeType:
		return "array"
	case *arrow.BinaryType:
		return "base64"
	case *arrow.StringType:
		return "string"
	}
	return t.String()
}
