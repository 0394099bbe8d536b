package gather

import (
	"math"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
)

// list is a List column.
type list struct {
	dt      arrow.DataType
	valid   validity
	offsets []int32 // one more than rows; none before the first row
	child   column
	below   []uint32 // scratch: the child's rows of one append
}

func (c *list) append(src *view, rows []uint32) {
	c.valid.append(src, rows)
	end := int64(0)
	if n := len(c.offsets); n > 0 {
		end = int64(c.offsets[n-1])
	}
	offsets := growOffsets(&c.offsets, len(rows))
	base := src.offsets[0]
	c.below = c.below[:0]
	for i, r := range rows {
		lo, hi := src.offsets[r], src.offsets[r+1]
		for at := lo; at < hi; at++ {
			c.below = append(c.below, uint32(at-base))
		}
		if end += int64(hi - lo); end > math.MaxInt32 {
			panic("gather: a builder outgrows 32-bit offsets")
		}
		offsets[i] = int32(end)
	}
	c.child.append(&src.children[0], c.below)
}

func (c *list) size() int64 { return int64(unsafe.Sizeof(*c)) + c.child.size() }

func (c *list) bytes() int64 {
	return c.valid.bytes() + int64(4*len(c.offsets)) + c.child.bytes()
}

func (c *list) capacity() int64 {
	return c.valid.capacity() + int64(4*cap(c.offsets)+4*cap(c.below)) + c.child.capacity()
}

func (c *list) data() arrow.ArrayData {
	return c.valid.new(c.dt, []arrow.ArrayData{c.child.data()}, arrow.Int32Traits.CastToBytes(c.offsets))
}

func (c *list) reset() {
	c.valid.reset()
	c.offsets = c.offsets[:0]
	c.child.reset()
}

func (c *list) free() {
	c.child.free()
	*c = list{dt: c.dt, child: c.child}
}

// fixedList is a FixedSizeList column.
type fixedList struct {
	dt    *arrow.FixedSizeListType
	valid validity
	child column
	below []uint32 // scratch: the child's rows of one append
}

func (c *fixedList) append(src *view, rows []uint32) {
	c.valid.append(src, rows)
	c.below = c.below[:0]
	for _, r := range rows {
		for i := range src.size {
			c.below = append(c.below, r*uint32(src.size)+uint32(i))
		}
	}
	c.child.append(&src.children[0], c.below)
}

func (c *fixedList) size() int64 { return int64(unsafe.Sizeof(*c)) + c.child.size() }

func (c *fixedList) bytes() int64 { return c.valid.bytes() + c.child.bytes() }

func (c *fixedList) capacity() int64 {
	return c.valid.capacity() + int64(4*cap(c.below)) + c.child.capacity()
}

func (c *fixedList) data() arrow.ArrayData {
	return c.valid.new(c.dt, []arrow.ArrayData{c.child.data()})
}

func (c *fixedList) reset() {
	c.valid.reset()
	c.child.reset()
}

func (c *fixedList) free() {
	c.child.free()
	*c = fixedList{dt: c.dt, child: c.child}
}

// structure is a Struct column.
type structure struct {
	dt       arrow.DataType
	valid    validity
	children []column
}

func (c *structure) append(src *view, rows []uint32) {
	c.valid.append(src, rows)
	for i, child := range c.children {
		child.append(&src.children[i], rows)
	}
}

func (c *structure) size() int64 {
	n := int64(unsafe.Sizeof(*c))
	for _, child := range c.children {
		n += referenceBytes + child.size()
	}
	return n
}

func (c *structure) bytes() int64 {
	n := c.valid.bytes()
	for _, child := range c.children {
		n += child.bytes()
	}
	return n
}

func (c *structure) capacity() int64 {
	n := c.valid.capacity()
	for _, child := range c.children {
		n += child.capacity()
	}
	return n
}

func (c *structure) data() arrow.ArrayData {
	children := make([]arrow.ArrayData, len(c.children))
	for i, child := range c.children {
		children[i] = child.data()
	}
	return c.valid.new(c.dt, children)
}

func (c *structure) reset() {
	c.valid.reset()
	for _, child := range c.children {
		child.reset()
	}
}

func (c *structure) free() {
	c.valid.free()
	for _, child := range c.children {
		child.free()
	}
}
