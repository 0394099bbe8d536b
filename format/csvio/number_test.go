package csvio

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// padded puts a field between other bytes, as in a text, and returns where it stands.
func padded(field string) (p unsafe.Pointer, from, to int) {
	text := append([]byte("9.9,"+field), bytes.Repeat([]byte("\n"), padding)...)
	return unsafe.Pointer(unsafe.SliceData(text)), 4, 4 + len(field)
}

// numbers are fields that are one, nearly one, or none.
var numbers = rapid.OneOf(
	rapid.StringMatching(`[-+]?[0-9]{0,20}(\.[0-9]{0,20})?([eE][-+]?[0-9]{0,3})?`),
	rapid.StringMatching(`[-+]?[0-9]{1,9}(\.[0-9]{1,9})?`),
	rapid.StringMatching(`[-+0-9./:,;_xXpP "eEnNaAiIfF]{0,20}`),
	rapid.SampledFrom([]string{"", "-", "+", ".", "-.", "NaN", "nan", "Inf", "-inf", "+Infinity", "0x1p-2", "1_000", "9007199254740993", "9007199254740992.5", "1e400", "-0", "5.", ".5", "16777217", "1.6777217"}),
	rapid.Map(rapid.Float64(), func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }),
	rapid.Map(rapid.Float32(), func(f float32) string { return strconv.FormatFloat(float64(f), 'f', -1, 32) }),
	rapid.Map(rapid.Int64(), func(i int64) string { return strconv.FormatInt(i, 10) }),
	rapid.Map(rapid.Uint64(), func(i uint64) string { return strconv.FormatUint(i, 10) }),
)

// Numbers are what strconv makes of them, to the last bit.
func TestNumbersAgreeWithStrconv(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkNumber(t, numbers.Draw(t, "field")) })
}

func FuzzNumber(f *testing.F) {
	f.Add("12345678")
	f.Add("-1234567890123456")
	f.Add("1234567.1234567890")
	f.Add("18446744073709551616")
	f.Fuzz(func(t *testing.T, field string) { checkNumber(t, field) })
}

func checkNumber(t interface{ Fatalf(string, ...any) }, field string) {
	p, from, to := padded(field)
	i, ok := parseInt(p, from, to)
	if want, err := strconv.ParseInt(field, 10, 64); ok != (err == nil) || ok && i != want {
		t.Fatalf("int %q: %d, %v, want %d, %v", field, i, ok, want, err)
	}
	u, ok := parseUint(p, from, to)
	if want, err := strconv.ParseUint(field, 10, 64); ok != (err == nil) || ok && u != want {
		t.Fatalf("uint %q: %d, %v, want %d, %v", field, u, ok, want, err)
	}
	hexadecimal := strings.ContainsAny(field, "xX_pP")
	d, err := parseFloat64(p, from, to)
	want, wantErr := strconv.ParseFloat(field, 64)
	if (err == nil) != (wantErr == nil && !hexadecimal) || err == nil && math.Float64bits(d) != math.Float64bits(want) {
		t.Fatalf("float64 %q: %v, %v, want %v, %v", field, d, err, want, wantErr)
	}
	s, err := parseFloat32(p, from, to)
	want, wantErr = strconv.ParseFloat(field, 32)
	if (err == nil) != (wantErr == nil && !hexadecimal) || err == nil && math.Float32bits(s) != math.Float32bits(float32(want)) {
		t.Fatalf("float32 %q: %v, %v, want %v, %v", field, s, err, want, wantErr)
	}
	if wantErr != nil && !hexadecimal && errors.Is(err, strconv.ErrRange) != errors.Is(wantErr, strconv.ErrRange) {
		t.Fatalf("float32 %q: error %v, want %v", field, err, wantErr)
	}
}

func BenchmarkNumbers(b *testing.B) {
	for _, field := range []string{"7", "42", "123456", "1234567890", "39.571384", "0.8444218515250481", "-1.7976931348623157e+308"} {
		p, from, to := padded(field)
		b.Run(fmt.Sprintf("int/%s", field), func(b *testing.B) {
			for b.Loop() {
				parseInt(p, from, to)
			}
		})
		b.Run(fmt.Sprintf("float/%s", field), func(b *testing.B) {
			for b.Loop() {
				parseFloat64(p, from, to)
			}
		})
	}
}
