package csvio

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"fletch/format/internal/jsontext"
)

// newEncoder returns the encoder of a column whose nulls are seen to. What CSV writes as JSON does is left to jsontext.
func newEncoder(f arrow.Field) jsontext.Encoder {
	f.Nullable = false
	switch f.Type.(type) {
	case *arrow.StringType:
		return &text{}
	case *arrow.BinaryType:
		return &binary{}
	case *arrow.DurationType:
		return &duration{}
	case *arrow.Float32Type:
		return &float[float32]{bits: 32}
	case *arrow.Float64Type:
		return &float[float64]{bits: 64}
	case *arrow.StructType:
		return &jsontext.Times{Name: f.Name}
	case arrow.ListLikeType:
		return &list{json: jsontext.Compile(f)}
	}
	return jsontext.Compile(f)
}

type text struct{ column *array.String }

func (e *text) Reset(c arrow.Array) { e.column = c.(*array.String) }
func (e *text) Append(dst []byte, row int) ([]byte, error) {
	return appendField(dst, e.column.Value(row)), nil
}

type binary struct{ column *array.Binary }

func (e *binary) Reset(c arrow.Array) { e.column = c.(*array.Binary) }
func (e *binary) Append(dst []byte, row int) ([]byte, error) {
	return base64.StdEncoding.AppendEncode(dst, e.column.Value(row)), nil
}

type duration struct{ values []int64 }

func (e *duration) Reset(c arrow.Array) { e.values = arrow.GetValues[int64](c.Data(), 1) }
func (e *duration) Append(dst []byte, row int) ([]byte, error) {
	return append(dst, time.Duration(e.values[row]).String()...), nil
}

type float[T float32 | float64] struct {
	bits   int
	values []T
}

func (e *float[T]) Reset(c arrow.Array) { e.values = arrow.GetValues[T](c.Data(), 1) }
func (e *float[T]) Append(dst []byte, row int) ([]byte, error) {
	return strconv.AppendFloat(dst, float64(e.values[row]), 'g', -1, e.bits), nil
}

// list writes JSON as a field.
type list struct {
	json    jsontext.Encoder
	scratch []byte
}

func (e *list) Reset(c arrow.Array) { e.json.Reset(c) }
func (e *list) Append(dst []byte, row int) (_ []byte, err error) {
	e.scratch, err = e.json.Append(e.scratch[:0], row)
	return appendField(dst, e.scratch), err
}

// special holds the bytes that a field with them is quoted for.
var special = [256]bool{',': true, '"': true, '\n': true, '\r': true}

// appendField appends a field, in quotes where it needs them: as encoding/csv does it, also where it begins with a
// space, and where it is \. alone, which ends the data of a PostgreSQL COPY.
func appendField[S string | []byte](dst []byte, field S) []byte {
	if !needsQuotes(field) {
		return append(dst, field...)
	}
	dst = append(dst, '"')
	done := 0
	for i := range len(field) {
		if field[i] == '"' {
			dst = append(append(dst, field[done:i]...), '"')
			done = i
		}
	}
	return append(append(dst, field[done:]...), '"')
}

func needsQuotes[S string | []byte](field S) bool {
	for i := range len(field) {
		if special[field[i]] {
			return true
		}
	}
	return beginsWithSpace(field) || string(field) == `\.`
}

func beginsWithSpace[S string | []byte](field S) bool {
	if len(field) == 0 {
		return false
	}
	if c := field[0]; c < utf8.RuneSelf {
		return c == ' ' || '\t' <= c && c <= '\r'
	}
	r, _ := utf8.DecodeRuneInString(string(field[:min(len(field), utf8.UTFMax)]))
	return unicode.IsSpace(r)
}
