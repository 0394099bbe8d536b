package batch

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"time"
	"unsafe"
)

// keyCode encodes and decodes one value at p.
type keyCode interface {
	encode(dst []byte, p unsafe.Pointer) []byte
	// decode reads one value from the front of src and returns the rest.
	decode(src []byte, p unsafe.Pointer) []byte
}

// compileKey returns the code of t, whose support has been checked. A string that is the whole key needs no end mark.
func compileKey(t reflect.Type, whole bool) keyCode {
	switch {
	case isTime(t):
		return timeCode{}
	case isOptional(t):
		value, _ := t.FieldByName("Value")
		valid, _ := t.FieldByName("Valid")
		return optionalCode{compileKey(value.Type, false), valid.Offset}
	}
	switch t.Kind() {
	case reflect.Struct:
		var code structCode
		for f := range t.Fields() {
			if !skipped(f) {
				code = append(code, fieldCode{f.Offset, compileKey(f.Type, false)})
			}
		}
		return code
	case reflect.Array:
		return arrayCode{t.Len(), t.Elem().Size(), compileKey(t.Elem(), false)}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return textCode{whole: whole, slice: true}
		}
		return sliceCode{t, compileKey(t.Elem(), false)}
	case reflect.String:
		return textCode{whole: whole}
	case reflect.Bool:
		return boolCode{}
	case reflect.Float32, reflect.Float64:
		return floatCode{int(t.Size())}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intCode{int(t.Size()), true}
	default:
		return intCode{int(t.Size()), false}
	}
}

func skipped(f reflect.StructField) bool {
	_, skip := columnName(f)
	return skip
}

type boolCode struct{}

func (boolCode) encode(dst []byte, p unsafe.Pointer) []byte {
	if *(*bool)(p) {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func (boolCode) decode(src []byte, p unsafe.Pointer) []byte {
	*(*bool)(p) = src[0] == 1
	return src[1:]
}

// intCode holds integers of size bytes, big-endian.
type intCode struct {
	size   int
	signed bool
}

func (c intCode) encode(dst []byte, p unsafe.Pointer) []byte {
	var v uint64
	switch c.size {
	case 1:
		v = uint64(*(*uint8)(p))
	case 2:
		v = uint64(*(*uint16)(p))
	case 4:
		v = uint64(*(*uint32)(p))
	default:
		v = *(*uint64)(p)
	}
	if c.signed {
		v ^= 1 << (8*c.size - 1)
	}
	return appendBig(dst, v, c.size)
}

func (c intCode) decode(src []byte, p unsafe.Pointer) []byte {
	v := loadBig(src, c.size)
	if c.signed {
		v ^= 1 << (8*c.size - 1)
	}
	switch c.size {
	case 1:
		*(*uint8)(p) = uint8(v)
	case 2:
		*(*uint16)(p) = uint16(v)
	case 4:
		*(*uint32)(p) = uint32(v)
	default:
		*(*uint64)(p) = v
	}
	return src[c.size:]
}

func appendBig(dst []byte, v uint64, size int) []byte {
	switch size {
	case 1:
		return append(dst, byte(v))
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(v))
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(v))
	default:
		return binary.BigEndian.AppendUint64(dst, v)
	}
}

func loadBig(src []byte, size int) uint64 {
	switch size {
	case 1:
		return uint64(src[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(src))
	case 4:
		return uint64(binary.BigEndian.Uint32(src))
	default:
		return binary.BigEndian.Uint64(src)
	}
}

// floatCode holds floats of size bytes in the total order -Inf < ... < 0 < ... < +Inf < NaN.
type floatCode struct{ size int }

func (c floatCode) encode(dst []byte, p unsafe.Pointer) []byte {
	var f float64
	if c.size == 4 {
		f = float64(*(*float32)(p)) // exact, and so is the way back
	} else {
		f = *(*float64)(p)
	}
	var v uint64
	switch {
	case f != f:
		v = math.Float64bits(math.NaN()) &^ (1 << 63)
	case f != 0:
		v = math.Float64bits(f)
	}
	if v>>63 == 1 {
		v = ^v
	} else {
		v ^= 1 << 63
	}
	return binary.BigEndian.AppendUint64(dst, v)
}

func (c floatCode) decode(src []byte, p unsafe.Pointer) []byte {
	v := binary.BigEndian.Uint64(src)
	if v>>63 == 0 {
		v = ^v
	} else {
		v ^= 1 << 63
	}
	if c.size == 4 {
		*(*float32)(p) = float32(math.Float64frombits(v))
	} else {
		*(*float64)(p) = math.Float64frombits(v)
	}
	return src[8:]
}

// timeCode holds instants.
type timeCode struct{}

func (timeCode) encode(dst []byte, p unsafe.Pointer) []byte {
	t := (*time.Time)(p)
	dst = binary.BigEndian.AppendUint64(dst, uint64(t.Unix())^1<<63)
	return binary.BigEndian.AppendUint32(dst, uint32(t.Nanosecond()))
}

func (timeCode) decode(src []byte, p unsafe.Pointer) []byte {
	sec := int64(binary.BigEndian.Uint64(src) ^ 1<<63)
	*(*time.Time)(p) = time.Unix(sec, int64(binary.BigEndian.Uint32(src[8:]))).UTC()
	return src[12:]
}

// optionalCode holds an Optional; absent values sort first.
type optionalCode struct {
	value       keyCode
	validOffset uintptr
}

func (c optionalCode) encode(dst []byte, p unsafe.Pointer) []byte {
	if !*(*bool)(unsafe.Add(p, c.validOffset)) {
		return append(dst, 0)
	}
	return c.value.encode(append(dst, 1), p)
}

func (c optionalCode) decode(src []byte, p unsafe.Pointer) []byte {
	if src[0] == 0 {
		return src[1:]
	}
	*(*bool)(unsafe.Add(p, c.validOffset)) = true
	return c.value.decode(src[1:], p)
}

// structCode holds the fields of a struct, one after the other.
type structCode []fieldCode

type fieldCode struct {
	offset uintptr
	code   keyCode
}

func (c structCode) encode(dst []byte, p unsafe.Pointer) []byte {
	for _, f := range c {
		dst = f.code.encode(dst, unsafe.Add(p, f.offset))
	}
	return dst
}

func (c structCode) decode(src []byte, p unsafe.Pointer) []byte {
	for _, f := range c {
		src = f.code.decode(src, unsafe.Add(p, f.offset))
	}
	return src
}

// arrayCode holds n elements of size bytes.
type arrayCode struct {
	n       int
	size    uintptr
	element keyCode
}

func (c arrayCode) encode(dst []byte, p unsafe.Pointer) []byte {
	for i := range c.n {
		dst = c.element.encode(dst, unsafe.Add(p, uintptr(i)*c.size))
	}
	return dst
}

func (c arrayCode) decode(src []byte, p unsafe.Pointer) []byte {
	for i := range c.n {
		src = c.element.decode(src, unsafe.Add(p, uintptr(i)*c.size))
	}
	return src
}

// sliceCode holds a slice: 1 before each element, 0 at the end, so that a prefix sorts first.
type sliceCode struct {
	slice   reflect.Type
	element keyCode
}

func (c sliceCode) encode(dst []byte, p unsafe.Pointer) []byte {
	s, size := (*sliceHeader)(p), c.slice.Elem().Size()
	for i := range s.len {
		dst = c.element.encode(append(dst, 1), unsafe.Add(s.data, uintptr(i)*size))
	}
	return append(dst, 0)
}

func (c sliceCode) decode(src []byte, p unsafe.Pointer) []byte {
	out := reflect.MakeSlice(c.slice, 0, 0)
	for src[0] == 1 {
		v := reflect.New(c.slice.Elem())
		src = c.element.decode(src[1:], v.UnsafePointer())
		out = reflect.Append(out, v.Elem())
	}
	reflect.NewAt(c.slice, p).Elem().Set(out)
	return src[1:]
}

// textCode holds a string or a []byte: as it is where it is the whole key, else escaped and ended.
type textCode struct {
	whole bool
	slice bool // of []byte
}

func (c textCode) encode(dst []byte, p unsafe.Pointer) []byte {
	s := *(*string)(p) // a []byte begins with the same two words
	if c.whole {
		return append(dst, s...)
	}
	for {
		zero := strings.IndexByte(s, 0)
		if zero < 0 {
			return append(append(dst, s...), 0, 1)
		}
		dst = append(append(dst, s[:zero+1]...), 0xff)
		s = s[zero+1:]
	}
}

// decode makes the value a view of src where it can: a string's bytes do not change, and a []byte is copied.
func (c textCode) decode(src []byte, p unsafe.Pointer) []byte {
	text, rest := src, []byte(nil)
	if !c.whole {
		text, rest = unescape(src)
	}
	switch {
	case c.slice:
		*(*[]byte)(p) = append([]byte{}, text...)
	case len(text) == 0:
		*(*string)(p) = "" // a view could point behind what it views
	default:
		*(*string)(p) = unsafe.String(unsafe.SliceData(text), len(text))
	}
	return rest
}

// unescape returns the text at the front of src and what follows its end mark.
func unescape(src []byte) (text, rest []byte) {
	zero := bytes.IndexByte(src, 0)
	if src[zero+1] == 1 {
		return src[:zero], src[zero+2:]
	}
	for {
		text = append(text, src[:zero]...)
		if src[zero+1] == 1 {
			return text, src[zero+2:]
		}
		text, src = append(text, 0), src[zero+2:]
		zero = bytes.IndexByte(src, 0)
	}
}
