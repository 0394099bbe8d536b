package csvio

import (
	"encoding/base64"
	"errors"
	"strconv"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/format/internal/input"
	"fletch/format/internal/jsontext"
)

// fields are those of one column, of all records of a text.
type fields struct {
	text  []byte
	spans []span
	// absent tells whether a value is absent: then its empty field is no mistake, and any value will do.
	absent func(row int) bool
}

// misfit says which of the fields is none of the column's type.
type misfit struct {
	row int
	why string
}

// decoder makes a column of fields, or says which is the first that it cannot.
type decoder func(f fields) (*array.Data, *misfit)

// newDecoder returns the decoder of a column whose nulls are seen to. What CSV holds as JSON is left to jsontext.
func newDecoder(f arrow.Field) decoder {
	switch t := f.Type.(type) {
	case *arrow.Int8Type:
		return decodeIntegers(t, parseSigned[int8])
	case *arrow.Int16Type:
		return decodeIntegers(t, parseSigned[int16])
	case *arrow.Int32Type:
		return decodeIntegers(t, parseSigned[int32])
	case *arrow.Int64Type:
		return decodeIntegers(t, parseSigned[int64])
	case *arrow.Uint8Type:
		return decodeIntegers(t, parseUnsigned[uint8])
	case *arrow.Uint16Type:
		return decodeIntegers(t, parseUnsigned[uint16])
	case *arrow.Uint32Type:
		return decodeIntegers(t, parseUnsigned[uint32])
	case *arrow.Uint64Type:
		return decodeIntegers(t, parseUnsigned[uint64])
	case *arrow.Float32Type:
		return decodeNumbers(t, parseFloat32)
	case *arrow.Float64Type:
		return decodeNumbers(t, parseFloat64)
	case *arrow.DurationType:
		return decodeNumbers(t, parseDuration)
	case *arrow.BooleanType:
		return decodeBools
	case *arrow.StringType:
		return decodeStrings
	case *arrow.BinaryType:
		return decodeBytes
	case *arrow.StructType:
		return decodeTimes(t)
	}
	return decodeJSON(f)
}

// mistake returns what is wrong with a field that is none of its column's type; nil where its value is absent.
func (f *fields) mistake(row int, name string, err error) *misfit {
	switch {
	case !f.spans[row].empty():
		if errors.Is(err, strconv.ErrRange) {
			return &misfit{row, "does not fit in " + name}
		}
		return &misfit{row, "is no " + name}
	case f.absent(row):
		return nil
	}
	return &misfit{row, "is empty, which only strings, bytes, slices and an Optional may be"}
}

// decodeNumbers decodes values of a fixed width. parse is given a field of the text at p.
func decodeNumbers[E any](t arrow.DataType, parse func(p unsafe.Pointer, from, to int) (E, error)) decoder {
	return func(f fields) (*array.Data, *misfit) {
		values, p := make([]E, len(f.spans)), unsafe.Pointer(unsafe.SliceData(f.text))
		for row, s := range f.spans {
			var err error
			if values[row], err = parse(p, int(s.from), int(s.to&^doubled)); err != nil {
				if wrong := f.mistake(row, t.String(), err); wrong != nil {
					return nil, wrong
				}
			}
		}
		return newData(t, len(values), bufferOf(values)), nil
	}
}

// decodeIntegers is decodeNumbers with a short way for most fields: 1 to 8 digits.
func decodeIntegers[E int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64](t arrow.DataType, parse func(p unsafe.Pointer, from, to int) (E, error)) decoder {
	return func(f fields) (*array.Data, *misfit) {
		values, p := make([]E, len(f.spans)), unsafe.Pointer(unsafe.SliceData(f.text))
		for row, s := range f.spans {
			if n := s.to - s.from; n-1 < 8 {
				v, ok := eightDigits(firstBytes(wordAt(p, int(s.from)), int(n)))
				if e := E(v); ok && uint64(e) == v {
					values[row] = e
					continue
				}
			}
			var err error
			if values[row], err = parse(p, int(s.from), int(s.to&^doubled)); err != nil {
				if wrong := f.mistake(row, t.String(), err); wrong != nil {
					return nil, wrong
				}
			}
		}
		return newData(t, len(values), bufferOf(values)), nil
	}
}

func parseSigned[E int8 | int16 | int32 | int64](p unsafe.Pointer, from, to int) (E, error) {
	v, ok := parseInt(p, from, to)
	if e := E(v); ok && int64(e) == v {
		return e, nil
	}
	return 0, wrongInteger(p, from, to)
}

func parseUnsigned[E uint8 | uint16 | uint32 | uint64](p unsafe.Pointer, from, to int) (E, error) {
	v, ok := parseUint(p, from, to)
	if e := E(v); ok && uint64(e) == v {
		return e, nil
	}
	return 0, wrongInteger(p, from, to)
}

// wrongInteger tells what is an integer but too large from what is none.
func wrongInteger(p unsafe.Pointer, from, to int) error {
	if _, err := strconv.ParseInt(stringAt(p, from, to), 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return strconv.ErrRange
	}
	return strconv.ErrSyntax
}

func parseDuration(p unsafe.Pointer, from, to int) (time.Duration, error) {
	return time.ParseDuration(stringAt(p, from, to))
}

func decodeBools(f fields) (*array.Data, *misfit) {
	bits := make([]byte, bitutil.BytesForBits(int64(len(f.spans))))
	for row, s := range f.spans {
		v, err := strconv.ParseBool(string(f.text[s.from : s.to&^doubled]))
		if err != nil {
			if wrong := f.mistake(row, "bool", err); wrong != nil {
				return nil, wrong
			}
		}
		if v {
			bitutil.SetBit(bits, row)
		}
	}
	return newData(arrow.FixedWidthTypes.Boolean, len(f.spans), memory.NewBufferBytes(bits)), nil
}

// decodeStrings copies all fields behind each other.
func decodeStrings(f fields) (*array.Data, *misfit) {
	size := 0
	for _, s := range f.spans {
		size += int(s.to&^doubled - s.from)
	}
	offsets, data := make([]int32, len(f.spans)+1), input.Unzeroed(size+padding)
	from, to, at := unsafe.Pointer(unsafe.SliceData(f.text)), unsafe.Pointer(unsafe.SliceData(data)), 0
	for row, s := range f.spans {
		if n := int(s.to - s.from); n <= padding { // so it has no doubled quotes
			// What is copied too much is padding, or the next field overwrites it.
			*(*[padding]byte)(unsafe.Add(to, at)) = *(*[padding]byte)(unsafe.Add(from, s.from))
			at += n
		} else {
			at += copy(data[at:], s.of(f.text))
		}
		offsets[row+1] = int32(at)
	}
	return newData(arrow.BinaryTypes.String, len(f.spans), bufferOf(offsets), memory.NewBufferBytes(data[:at:at])), nil
}

func decodeBytes(f fields) (*array.Data, *misfit) {
	offsets := make([]int32, len(f.spans)+1)
	var data []byte
	for row, s := range f.spans {
		var err error
		if data, err = base64.StdEncoding.AppendDecode(data, s.of(f.text)); err != nil {
			return nil, &misfit{row, "is no base64"}
		}
		offsets[row+1] = int32(len(data))
	}
	return newData(arrow.BinaryTypes.Binary, len(f.spans), bufferOf(offsets), memory.NewBufferBytes(data)), nil
}

// timeLayouts are tried in this order. All of them take a fraction of the second.
var timeLayouts = [...]string{time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04:05", time.DateOnly}

func decodeTimes(t *arrow.StructType) decoder {
	return func(f fields) (*array.Data, *misfit) {
		seconds, nanos := make([]int64, len(f.spans)), make([]int32, len(f.spans))
		for row, s := range f.spans {
			v, err := parseTime(string(s.of(f.text)))
			if err != nil {
				if wrong := f.mistake(row, "time such as 2006-01-02T15:04:05Z", err); wrong != nil {
					return nil, wrong
				}
			}
			seconds[row], nanos[row] = v.Unix(), int32(v.Nanosecond())
		}
		n := len(f.spans)
		children := []arrow.ArrayData{newData(t.Field(0).Type, n, bufferOf(seconds)), newData(t.Field(1).Type, n, bufferOf(nanos))}
		return array.NewData(t, n, []*memory.Buffer{nil}, children, 0, 0), nil
	}
}

func parseTime(s string) (v time.Time, err error) {
	for _, layout := range timeLayouts {
		if v, err = time.Parse(layout, s); err == nil {
			return v, nil
		}
	}
	return v, err
}

// decodeJSON decodes lists.
func decodeJSON(field arrow.Field) decoder {
	field.Nullable = false
	return func(f fields) (*array.Data, *misfit) {
		p := jsontext.NewParser(field)
		for row, s := range f.spans {
			if s.empty() {
				if wrong := f.mistake(row, "", nil); wrong != nil {
					return nil, wrong
				}
				p.AppendZero()
			} else if err := p.Append(s.of(f.text)); err != nil {
				return nil, &misfit{row, "is no JSON array of its type: " + err.Error()}
			}
		}
		return p.Take(), nil
	}
}

// newData makes Arrow data without nulls.
func newData(t arrow.DataType, n int, buffers ...*memory.Buffer) *array.Data {
	return array.NewData(t, n, append([]*memory.Buffer{nil}, buffers...), nil, 0, 0)
}

// bufferOf views values as a buffer.
func bufferOf[E any](values []E) *memory.Buffer {
	p := unsafe.Pointer(unsafe.SliceData(values))
	return memory.NewBufferBytes(unsafe.Slice((*byte)(p), len(values)*int(unsafe.Sizeof(*new(E)))))
}

func stringAt(p unsafe.Pointer, from, to int) string {
	return unsafe.String((*byte)(unsafe.Add(p, from)), to-from)
}
