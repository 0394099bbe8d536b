package exec

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"reflect"
	"strings"
	"unicode/utf8"
	"unsafe"
)

// knownSequence returns a function that feeds the elements of f's sequence for a record to yield in less time than f
// does, and returns false if yield did. It knows functions of the standard library; for others it is nil.
func knownSequence[T, U any](f func(T) iter.Seq[U]) func(rec T, yield func(U) bool) bool {
	if reflect.ValueOf(f).Pointer() == reflect.ValueOf(strings.FieldsSeq).Pointer() {
		return any(fields).(func(T, func(U) bool) bool)
	}
	return nil
}

// fields feeds the elements of strings.FieldsSeq(s) to yield. It looks at eight bytes in a step.
func fields(s string, yield func(string) bool) bool {
	start, at := 0, 0 // of the word, and of the bytes to look at
	for ; len(s)-at >= 8; at += 8 {
		b := binary.LittleEndian.Uint64((*[8]byte)(unsafe.Pointer(unsafe.StringData(s[at:])))[:])
		for ends := mayEnd(b); ends != 0; ends &= ends - 1 {
			end := at + bits.TrailingZeros64(ends)/8
			if s[end] >= utf8.RuneSelf {
				return slowFields(s[start:], yield)
			}
			if !asciiSpace[s[end]] {
				continue
			}
			if end > start && !yield(s[start:end]) {
				return false
			}
			start = end + 1
		}
	}
	for ; at < len(s); at++ {
		if s[at] >= utf8.RuneSelf {
			return slowFields(s[start:], yield)
		}
		if asciiSpace[s[at]] {
			if at > start && !yield(s[start:at]) {
				return false
			}
			start = at + 1
		}
	}
	return start == len(s) || yield(s[start:])
}

// slowFields looks at each rune, as those beyond ASCII may be white space.
func slowFields(s string, yield func(string) bool) bool {
	for word := range strings.FieldsSeq(s) {
		if !yield(word) {
			return false
		}
	}
	return true
}

// mayEnd sets the top bit of each byte that is at most a space or beyond ASCII.
func mayEnd(b uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	return (^((b &^ tops) + (0x7f-' ')*ones) | b) & tops
}

var asciiSpace = [256]bool{'\t': true, '\n': true, '\v': true, '\f': true, '\r': true, ' ': true}
