// Package jsontext writes Arrow values as JSON text and reads them back, as the formats do that hold such text. It knows
// the columns that records of Go types have (see engine/batch) and no others.
//
//	bool, numbers      JSON's own; a float that is no number is an error, as JSON has none
//	strings            quoted; bytes that are no UTF-8 become \ufffd
//	bytes              base64 in quotes
//	durations          nanoseconds
//	times              RFC 3339 in quotes, as many digits of the second as it takes
//	structs, lists     objects and arrays
//	null               null, which is also what Optional of a nil value becomes
package jsontext

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// Encoder writes the values of one column, one column of a batch after the other. It is not safe for concurrent use.
type Encoder interface {
	// Reset points the encoder at a column of the type that it was compiled for. It must not be released before the
	// next Reset.
	Reset(column arrow.Array)
	// Append appends the text of a row's value to dst. The error names the column.
	Append(dst []byte, row int) ([]byte, error)
}

// Compile returns the encoder of a column.
func Compile(f arrow.Field) Encoder {
	e := compile(f)
	if f.Nullable {
		return &nullable{value: e}
	}
	return e
}

func compile(f arrow.Field) Encoder {
	switch t := f.Type.(type) {
	case *arrow.BooleanType:
		return &boolean{}
	case *arrow.Int8Type:
		return &signed[int8]{}
	case *arrow.Int16Type:
		return &signed[int16]{}
	case *arrow.Int32Type:
		return &signed[int32]{}
	case *arrow.Int64Type, *arrow.DurationType:
		return &signed[int64]{}
	case *arrow.Uint8Type:
		return &unsigned[uint8]{}
	case *arrow.Uint16Type:
		return &unsigned[uint16]{}
	case *arrow.Uint32Type:
		return &unsigned[uint32]{}
	case *arrow.Uint64Type:
		return &unsigned[uint64]{}
	case *arrow.Float32Type:
		return &float[float32]{name: f.Name, bits: 32}
	case *arrow.Float64Type:
		return &float[float64]{name: f.Name, bits: 64}
	case *arrow.StringType:
		return &text{}
	case *arrow.BinaryType:
		return &binary{}
	case arrow.ListLikeType:
		element := t.ElemField()
		element.Name = f.Name
		return &list{element: Compile(element)}
	case *arrow.StructType:
		if IsTime(t) {
			return &timestamp{Times{Name: f.Name}}
		}
		if inner, ok := Boxed(f); ok {
			return &boxed{Compile(inner)}
		}
		return newObject(f.Name, t)
	}
	panic(fmt.Sprintf("jsontext: column %s has type %s, which no record has", f.Name, f.Type))
}

type boolean struct{ column *array.Boolean }

func (e *boolean) Reset(c arrow.Array) { e.column = c.(*array.Boolean) }
func (e *boolean) Append(dst []byte, row int) ([]byte, error) {
	return strconv.AppendBool(dst, e.column.Value(row)), nil
}

type signed[T int8 | int16 | int32 | int64] struct{ values []T }

func (e *signed[T]) Reset(c arrow.Array) { e.values = arrow.GetValues[T](c.Data(), 1) }
func (e *signed[T]) Append(dst []byte, row int) ([]byte, error) {
	return strconv.AppendInt(dst, int64(e.values[row]), 10), nil
}

type unsigned[T uint8 | uint16 | uint32 | uint64] struct{ values []T }

func (e *unsigned[T]) Reset(c arrow.Array) { e.values = arrow.GetValues[T](c.Data(), 1) }
func (e *unsigned[T]) Append(dst []byte, row int) ([]byte, error) {
	return strconv.AppendUint(dst, uint64(e.values[row]), 10), nil
}

type float[T float32 | float64] struct {
	name   string
	bits   int
	values []T
}

func (e *float[T]) Reset(c arrow.Array) { e.values = arrow.GetValues[T](c.Data(), 1) }

// Append uses the exponents that encoding/json, and so ECMAScript, uses.
func (e *float[T]) Append(dst []byte, row int) ([]byte, error) {
	v := float64(e.values[row])
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dst, fmt.Errorf("column %s: JSON has no number for %v: map it to another value, or write CSV", e.name, v)
	}
	abs := math.Abs(v)
	small, large := 1e-6, 1e21
	if e.bits == 32 {
		small, large = float64(float32(small)), float64(float32(large))
	}
	if abs == 0 || small <= abs && abs < large {
		return strconv.AppendFloat(dst, v, 'f', -1, e.bits), nil
	}
	dst = strconv.AppendFloat(dst, v, 'e', -1, e.bits)
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1] // e-09 becomes e-9
		dst = dst[:n-1]
	}
	return dst, nil
}

type text struct{ column *array.String }

func (e *text) Reset(c arrow.Array) { e.column = c.(*array.String) }
func (e *text) Append(dst []byte, row int) ([]byte, error) {
	return AppendString(dst, e.column.Value(row)), nil
}

type binary struct{ column *array.Binary }

func (e *binary) Reset(c arrow.Array) { e.column = c.(*array.Binary) }
func (e *binary) Append(dst []byte, row int) ([]byte, error) {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, e.column.Value(row))
	return append(dst, '"'), nil
}

type timestamp struct{ Times }

func (e *timestamp) Append(dst []byte, row int) ([]byte, error) {
	dst, err := e.Times.Append(append(dst, '"'), row)
	return append(dst, '"'), err
}

// Times writes times as RFC 3339, without quotes.
type Times struct {
	Name string // of the column

	seconds []int64
	nanos   []int32
}

// IsTime tells a column of times from one of structs.
func IsTime(t *arrow.StructType) bool {
	return t.NumFields() == 2 && t.Field(0).Type.ID() == arrow.TIMESTAMP
}

// Reset is Encoder's.
func (e *Times) Reset(c arrow.Array) {
	s := c.(*array.Struct)
	e.seconds = arrow.GetValues[int64](s.Field(0).Data(), 1)
	e.nanos = arrow.GetValues[int32](s.Field(1).Data(), 1)
}

// Append is Encoder's.
func (e *Times) Append(dst []byte, row int) ([]byte, error) {
	t := time.Unix(e.seconds[row], int64(e.nanos[row])).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return dst, fmt.Errorf("column %s: RFC 3339 has no year %d", e.Name, y)
	}
	return t.AppendFormat(dst, time.RFC3339Nano), nil
}
