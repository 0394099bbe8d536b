package gather

import (
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// bitmap is a growing bitmap. The bits behind n in its last byte are zero.
type bitmap struct {
	bits []byte
	n    int
}

// gather appends the bits of src at rows, where row 0 is src's bit number bit, and returns how many of them are set.
func (b *bitmap) gather(src []byte, bit int, rows []uint32) int {
	b.grow(len(rows))
	out, n, set := b.bits, b.n, 0
	for _, r := range rows {
		at := bit + int(r)
		v := src[at>>3] >> (at & 7) & 1
		out[n>>3] |= v << (n & 7)
		set += int(v)
		n++
	}
	b.n = n
	return set
}

// fill appends n bits that are set.
func (b *bitmap) fill(n int) {
	b.grow(n)
	end := b.n + n
	for ; b.n < end && b.n&7 != 0; b.n++ {
		b.bits[b.n>>3] |= 1 << (b.n & 7)
	}
	for ; b.n+8 <= end; b.n += 8 {
		b.bits[b.n>>3] = 0xff
	}
	for ; b.n < end; b.n++ {
		b.bits[b.n>>3] |= 1 << (b.n & 7)
	}
}

// grow makes room for n more bits, zero ones.
func (b *bitmap) grow(n int) {
	have, want := len(b.bits), (b.n+n+7)/8
	b.bits = grow(b.bits, want-have)[:want]
	clear(b.bits[have:])
}

// validity says which rows are not null. Where none is null it holds no memory.
type validity struct {
	bitmap
	rows  int
	nulls int
}

func (v *validity) append(src *view, rows []uint32) {
	switch {
	case src.valid != nil:
		if len(v.bits) == 0 {
			v.fill(v.rows)
		}
		v.nulls += len(rows) - v.gather(src.valid, src.bit, rows)
	case len(v.bits) > 0:
		v.fill(len(rows))
	}
	v.rows += len(rows)
}

// bytes returns the length of the buffer: a bitmap without a null is left out.
func (v *validity) bytes() int64 { return int64(len(v.buffer())) }

func (v *validity) buffer() []byte {
	if v.nulls == 0 {
		return nil
	}
	return v.bits
}

func (v *validity) capacity() int64 { return int64(cap(v.bits)) }

// new returns data of the rows with the other buffers and the children.
func (v *validity) new(dt arrow.DataType, children []arrow.ArrayData, buffers ...[]byte) arrow.ArrayData {
	all := make([]*memory.Buffer, 1+len(buffers))
	if v.nulls > 0 {
		all[0] = memory.NewBufferBytes(v.bits)
	}
	for i, b := range buffers {
		all[i+1] = memory.NewBufferBytes(b)
	}
	return array.NewData(dt, v.rows, all, children, v.nulls, 0)
}

func (v *validity) reset() { *v = validity{bitmap: bitmap{bits: v.bits[:0]}} }
func (v *validity) free()  { *v = validity{} }

// boolean is a Boolean column.
type boolean struct {
	valid  validity
	values bitmap
}

func (c *boolean) append(src *view, rows []uint32) {
	c.valid.append(src, rows)
	c.values.gather(src.values, src.bit, rows)
}

func (c *boolean) size() int64     { return int64(unsafe.Sizeof(*c)) }
func (c *boolean) bytes() int64    { return c.valid.bytes() + int64(len(c.values.bits)) }
func (c *boolean) capacity() int64 { return c.valid.capacity() + int64(cap(c.values.bits)) }

func (c *boolean) data() arrow.ArrayData {
	return c.valid.new(arrow.FixedWidthTypes.Boolean, nil, c.values.bits)
}

func (c *boolean) reset() {
	c.valid.reset()
	c.values = bitmap{bits: c.values.bits[:0]}
}

func (c *boolean) free() { *c = boolean{} }
