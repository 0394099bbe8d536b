package plan

import (
	"math"
	"math/bits"
)

// addCapped adds two sizes; a sum beyond an int64 stays at its greatest value, as sizes are estimates.
func addCapped(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// mulCapped multiplies two sizes likewise.
func mulCapped(a, b int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high > 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}

// ceilDiv divides a by b, neither negative, and rounds up without overflow.
func ceilDiv(a, b int64) int64 {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}

// sum adds sizes.
func sum(sizes []int64) (total int64) {
	for _, n := range sizes {
		total = addCapped(total, n)
	}
	return total
}

// bytesOf adds the sizes of splits.
func bytesOf(splits []Split) (bytes int64) {
	for i := range splits {
		bytes = addCapped(bytes, splits[i].Bytes)
	}
	return bytes
}
