package csvio

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unsafe"
)

// Both parsers take the field between two offsets of a text that padding follows. They are written for the fields that
// most files have; what is left they hand on to strconv.

// parseUint parses digits. Up to 16 of them are eight bytes, or twice eight, taken at a time.
func parseUint(p unsafe.Pointer, from, to int) (uint64, bool) {
	n := to - from
	switch {
	case n <= 0:
		return 0, false
	case n <= 8:
		return eightDigits(firstBytes(wordAt(p, from), n))
	case n <= 16:
		high, ok := eightDigits(firstBytes(wordAt(p, from), n-8))
		low, lowOK := eightDigits(wordAt(p, to-8))
		return high*1e8 + low, ok && lowOK
	}
	v, err := strconv.ParseUint(stringAt(p, from, to), 10, 64)
	return v, err == nil
}

// firstBytes returns the first n bytes of a word behind zeros as digits; n is 1 to 8.
func firstBytes(word uint64, n int) uint64 {
	const zeros = '0' * ones
	return word<<(64-8*n) | zeros>>(8*n)
}

// eightDigits returns the number that eight digits are.
func eightDigits(word uint64) (uint64, bool) {
	// A digit's upper half is 3, and stays it when 6 is added.
	const upper = 0xf0 * ones
	if word&upper|(word+6*ones)&upper>>4 != 0x33*ones {
		return 0, false
	}
	word = word&(0x0f*ones)*10 + word&(0x0f*ones)>>8 // each second byte: a number of two digits
	const mask = 0x000000ff000000ff
	return (word&mask*(100+1e6<<32) + word>>16&mask*(1+1e4<<32)) >> 32, true
}

// parseInt parses an integer with or without a sign.
func parseInt(p unsafe.Pointer, from, to int) (int64, bool) {
	if from == to {
		return 0, false
	}
	sign := byteAt(p, from)
	if sign != '-' && sign != '+' {
		v, ok := parseUint(p, from, to)
		return int64(v), ok && v <= math.MaxInt64
	}
	v, ok := parseUint(p, from+1, to)
	if sign == '-' {
		return -int64(v), ok && v <= 1<<63
	}
	return int64(v), ok && v <= math.MaxInt64
}

// power64 and power32 are the powers of ten that a float holds exactly.
var (
	power64 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16}
	power32 = [...]float32{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10}
)

// parseFloat64 parses what strconv does but for hexadecimal numbers, and rounds alike. A number of few digits is one
// division of two numbers that are exact, so that is rounded once: W. D. Clinger, How to Read Floating Point Numbers
// Accurately, 1990.
func parseFloat64(p unsafe.Pointer, from, to int) (float64, error) {
	if digits, places, negative, ok := parseDecimal(p, from, to); ok && digits <= 1<<53 {
		v := float64(digits) / power64[places]
		if negative {
			v = -v
		}
		return v, nil
	}
	return parseAnyFloat(p, from, to, 64)
}

// parseFloat32 is parseFloat64 with one rounding to 24 bits.
func parseFloat32(p unsafe.Pointer, from, to int) (float32, error) {
	if digits, places, negative, ok := parseDecimal(p, from, to); ok && digits <= 1<<24 && places < len(power32) {
		v := float32(digits) / power32[places]
		if negative {
			v = -v
		}
		return v, nil
	}
	v, err := parseAnyFloat(p, from, to, 32)
	return float32(v), err
}

// parseDecimal parses a number without an exponent whose digits are few enough and whose point, if it has one, stands
// behind at most 7 of them. It returns the digits, and how many of them stand behind the point.
func parseDecimal(p unsafe.Pointer, from, to int) (digits uint64, places int, negative, ok bool) {
	if from < to && byteAt(p, from) == '-' {
		negative = true
		from++
	}
	if to-from > 18 {
		return 0, 0, false, false
	}
	point := from + bits.TrailingZeros64(^other(wordAt(p, from)^'.'*ones)&tops)/8
	if point >= min(to, from+8) {
		digits, ok = parseUint(p, from, to)
		return digits, 0, negative, ok
	}
	whole, ok := parseUint(p, from, point)
	fraction, fractionOK := parseUint(p, point+1, to)
	places = to - point - 1
	if !ok || !fractionOK {
		return 0, 0, false, false
	}
	return whole*uint64(power64[places]) + fraction, places, negative, true
}

func parseAnyFloat(p unsafe.Pointer, from, to, size int) (float64, error) {
	s := stringAt(p, from, to)
	if strings.ContainsAny(s, "xX_pP") { // which only hexadecimal numbers have
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(s, size)
}
