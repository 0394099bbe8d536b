package gather

import (
	"math"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
)

// binary is a String or Binary column.
type binary struct {
	dt      arrow.DataType
	valid   validity
	offsets []int32 // one more than rows; none before the first row
	values  []byte
}

// shortBytes is how many bytes are copied at once where source and destination have that much room: a fixed length
// compiles to two moves, while a short copy of any length is a call.
const shortBytes = 16

func (c *binary) append(src *view, rows []uint32) {
	c.valid.append(src, rows)
	size := 0
	for _, r := range rows {
		size += int(src.offsets[r+1] - src.offsets[r])
	}
	at := len(c.values)
	if at+size > math.MaxInt32 {
		panic("gather: a builder outgrows 32-bit offsets")
	}
	c.values = grow(c.values, size+shortBytes)
	values, from := c.values[:cap(c.values)], src.values
	offsets := growOffsets(&c.offsets, len(rows))
	for i, r := range rows {
		lo, hi := int(src.offsets[r]), int(src.offsets[r+1])
		if hi-lo <= shortBytes && lo+shortBytes <= len(from) {
			// The surplus is overwritten by the next value, or lies behind the last one.
			*(*[shortBytes]byte)(values[at:]) = *(*[shortBytes]byte)(from[lo:])
		} else {
			copy(values[at:], from[lo:hi])
		}
		at += hi - lo
		offsets[i] = int32(at)
	}
	c.values = values[:at]
}

// growOffsets makes room for the ends of n more values and returns it.
func growOffsets(offsets *[]int32, n int) []int32 {
	if len(*offsets) == 0 {
		*offsets = append(*offsets, 0)
	}
	have := len(*offsets)
	*offsets = grow(*offsets, n)[:have+n]
	return (*offsets)[have:]
}

func (c *binary) size() int64 { return int64(unsafe.Sizeof(*c)) }

func (c *binary) bytes() int64 {
	return c.valid.bytes() + int64(4*len(c.offsets)) + int64(len(c.values))
}

func (c *binary) capacity() int64 {
	return c.valid.capacity() + int64(4*cap(c.offsets)) + int64(cap(c.values))
}

func (c *binary) data() arrow.ArrayData {
	return c.valid.new(c.dt, nil, arrow.Int32Traits.CastToBytes(c.offsets), c.values)
}

func (c *binary) reset() {
	c.valid.reset()
	c.offsets, c.values = c.offsets[:0], c.values[:0]
}

func (c *binary) free() { *c = binary{dt: c.dt} }
