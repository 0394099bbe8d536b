package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"time"
	"unsafe"
)

// Keyer normalises keys of type K: it encodes a key as bytes that compare as the keys do, so that one table, one sort and
// one hash serve every type. Equal keys have equal bytes: -0 is 0, every NaN is the same and stands last, a nil slice is
// an empty one, a time is an instant.
//
// The encoding, by type: a bool is one byte; integers are big-endian, the signed ones with their sign bit flipped;
// floats likewise, all bits flipped when negative; a time is its seconds and nanoseconds; an Optional is 0, or 1 and its
// value. A string or []byte that is the whole key stands as it is; within a key its zero bytes become 0x00 0xff and it
// ends in 0x00 0x01. A slice puts 1 before each element and ends in 0.
type Keyer[K any] struct {
	kind kind
	code keyCode
	part keyCode // of a key that others may follow
	buf  []byte  // of Normalise and Compare
	ends []int   // of the keys in buf
}

// kind selects the loops that know a key's representation.
type kind uint8

const (
	kindCoded  kind = iota // by its keyCode
	kindString             // a string's own bytes
	kindInt64              // eight bytes, sign bit flipped
	kindUint64             // eight bytes
)

// keyCode encodes and decodes one value at p.
type keyCode interface {
	encode(dst []byte, p unsafe.Pointer) []byte
	// decode reads one value from the front of src and returns the rest.
	decode(src []byte, p unsafe.Pointer) []byte
}

// KeyerOf returns a keyer of K, for one goroutine. The error says why K has no order, naming the field.
func KeyerOf[K any]() (*Keyer[K], error) {
	t := reflect.TypeFor[K]()
	if _, err := CodecOf[K](); err != nil {
		return nil, fmt.Errorf("no order for a key: %w", err)
	}
	k := &Keyer[K]{code: compileKey(t, true), part: compileKey(t, false)}
	switch {
	case t.Kind() == reflect.String:
		k.kind = kindString
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		k.kind = kindInt64
	case t.Kind() == reflect.Uint || t.Kind() == reflect.Uint64:
		k.kind = kindUint64
	}
	return k, nil
}

// Clone returns another keyer of K, for another goroutine.
func (k *Keyer[K]) Clone() *Keyer[K] { return &Keyer[K]{kind: k.kind, code: k.code, part: k.part} }

// Append encodes key at the end of dst.
func (k *Keyer[K]) Append(dst []byte, key *K) []byte { return k.code.encode(dst, unsafe.Pointer(key)) }

// AppendPart encodes key at the end of dst so that another key may follow, as in an order by several columns. It may be
// called by many goroutines.
func (k *Keyer[K]) AppendPart(dst []byte, key *K) []byte {
	return k.part.encode(dst, unsafe.Pointer(key))
}

// Decode returns the key that encoded stands for. A string key is a view of encoded, which must not change any more.
func (k *Keyer[K]) Decode(encoded string) (key K) {
	if k.kind == kindString {
		*(*string)(unsafe.Pointer(&key)) = encoded
		return key
	}
	k.code.decode(unsafe.Slice(unsafe.StringData(encoded), len(encoded)), unsafe.Pointer(&key))
	return key
}

// Words is a normalised key in two machine words, with its hash. A key of at most 15 bytes is held whole: its bytes in
// memory order, zeroes, and in the highest byte of Hi the length plus one. Of a longer key Lo is the hash and Hi LongTag.
// No key has a Hi of zero.
type Words struct{ Lo, Hi, Hash uint64 }

// LongTag in the highest byte of Hi marks a key of more than 15 bytes.
const LongTag = 0xff << 56

// HashOf returns the hash of a key by its words.
func HashOf(lo, hi uint64) uint64 {
	if hi >= LongTag {
		return lo
	}
	return hashWords(lo, hi)
}

// Vector is normalised keys, as Normalise fills it.
type Vector struct {
	Words []Words
	Long  []string // the bytes of each long key; undefined for a short one
}

// Normalise fills v with the n keys at first and behind it, stride bytes apart. What v holds is valid until the
// following call.
func (k *Keyer[K]) Normalise(v *Vector, first *K, stride uintptr, n int) {
	if cap(v.Words) < n {
		v.Words, v.Long = make([]Words, n), make([]string, n)
	}
	v.Words, v.Long = v.Words[:n], v.Long[:n]
	base := unsafe.Pointer(first)
	switch k.kind {
	case kindString:
		v.strings(base, stride)
	case kindInt64:
		for i := range v.Words {
			v.Words[i] = wordsOf(uint64(*(*int64)(unsafe.Add(base, uintptr(i)*stride))) ^ 1<<63)
		}
	case kindUint64:
		for i := range v.Words {
			v.Words[i] = wordsOf(*(*uint64)(unsafe.Add(base, uintptr(i)*stride)))
		}
	default:
		k.coded(v, base, stride)
	}
}

// coded encodes all keys into one buffer before it makes views of that, as the buffer moves while it grows.
func (k *Keyer[K]) coded(v *Vector, base unsafe.Pointer, stride uintptr) {
	k.buf, k.ends = k.buf[:0], k.ends[:0]
	for i := range v.Words {
		k.buf = k.code.encode(k.buf, unsafe.Add(base, uintptr(i)*stride))
		k.ends = append(k.ends, len(k.buf))
	}
	start := 0
	for i, end := range k.ends {
		if key := unsafe.String(unsafe.SliceData(k.buf[start:]), end-start); len(key) > 15 {
			v.setLong(i, key)
		} else {
			v.Words[i] = wordsOfString(key)
		}
		start = end
	}
}

func (v *Vector) setLong(i int, key string) {
	h := hashLong(key)
	v.Words[i], v.Long[i] = Words{h, LongTag, h}, key
}

// wordsOf packs eight big-endian bytes.
func wordsOf(v uint64) Words {
	lo, hi := bits.ReverseBytes64(v), uint64(9)<<56
	return Words{lo, hi, hashWords(lo, hi)}
}

// Compare returns a number below, at or above zero as a sorts before, with or after b.
func (k *Keyer[K]) Compare(a, b *K) int {
	k.buf = k.code.encode(k.buf[:0], unsafe.Pointer(a))
	n := len(k.buf)
	k.buf = k.code.encode(k.buf, unsafe.Pointer(b))
	return bytes.Compare(k.buf[:n], k.buf[n:])
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
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(v>>(8*i)))
	}
	return dst
}

func loadBig(src []byte, size int) (v uint64) {
	for _, b := range src[:size] {
		v = v<<8 | uint64(b)
	}
	return v
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
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

func (c textCode) decode(src []byte, p unsafe.Pointer) []byte {
	var text []byte
	if c.whole {
		text, src = append([]byte{}, src...), nil
	} else {
		text = []byte{}
		for src[0] != 0 || src[1] != 1 {
			text = append(text, src[0])
			if src[0] == 0 {
				src = src[1:]
			}
			src = src[1:]
		}
		src = src[2:]
	}
	if c.slice {
		*(*[]byte)(p) = text
	} else {
		*(*string)(p) = string(text)
	}
	return src
}
