package gather

import (
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
)

// fixed is a column of values as wide as W.
type fixed[W uint8 | uint16 | uint32 | uint64] struct {
	dt     arrow.DataType
	valid  validity
	values []W
}

func (c *fixed[W]) append(src *view, rows []uint32) {
	c.valid.append(src, rows)
	var w W
	values := unsafe.Slice((*W)(unsafe.Pointer(unsafe.SliceData(src.values))), len(src.values)/int(unsafe.Sizeof(w)))
	have := len(c.values)
	c.values = grow(c.values, len(rows))[:have+len(rows)]
	out := c.values[have:]
	for i, r := range rows {
		out[i] = values[r]
	}
}

func (c *fixed[W]) size() int64     { return int64(unsafe.Sizeof(*c)) }
func (c *fixed[W]) bytes() int64    { return c.valid.bytes() + int64(len(c.raw())) }
func (c *fixed[W]) capacity() int64 { return c.valid.capacity() + int64(cap(c.values))*width64[W]() }

func (c *fixed[W]) data() arrow.ArrayData { return c.valid.new(c.dt, nil, c.raw()) }

// raw returns the values as bytes.
func (c *fixed[W]) raw() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c.values))), int64(len(c.values))*width64[W]())
}

func (c *fixed[W]) reset() {
	c.valid.reset()
	c.values = c.values[:0]
}

func (c *fixed[W]) free() { *c = fixed[W]{dt: c.dt} }

func width64[W any]() int64 {
	var w W
	return int64(unsafe.Sizeof(w))
}
