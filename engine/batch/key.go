package batch

import (
	"fmt"
	"math/bits"
	"reflect"
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

// Decode returns the key that encoded stands for. Its strings are views of encoded, which must not change any more.
func (k *Keyer[K]) Decode(encoded string) K {
	switch k.kind {
	case kindString:
		return *(*K)(unsafe.Pointer(&encoded))
	case kindInt64:
		v := bits.ReverseBytes64(load64(unsafe.Pointer(unsafe.StringData(encoded)))) ^ 1<<63
		return *(*K)(unsafe.Pointer(&v))
	case kindUint64:
		v := bits.ReverseBytes64(load64(unsafe.Pointer(unsafe.StringData(encoded))))
		return *(*K)(unsafe.Pointer(&v))
	default:
		return k.decode(encoded)
	}
}

// decode is apart from Decode, as it needs an allocation.
func (k *Keyer[K]) decode(encoded string) (key K) {
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
	Words     []Words
	Long      []string // the bytes of each long key; undefined for a short one
	LongBytes int64    // of all long keys
}

// Normalise fills v with the n keys at first and behind it, stride bytes apart. What v holds is valid until the
// following call.
func (k *Keyer[K]) Normalise(v *Vector, first *K, stride uintptr, n int) {
	if cap(v.Words) < n {
		v.Words, v.Long = make([]Words, n), make([]string, n)
	}
	v.Words, v.Long, v.LongBytes = v.Words[:n], v.Long[:n], 0
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
	v.LongBytes += int64(len(key))
}

// wordsOf packs eight big-endian bytes.
func wordsOf(v uint64) Words {
	lo, hi := bits.ReverseBytes64(v), uint64(9)<<56
	return Words{lo, hi, hashWords(lo, hi)}
}
