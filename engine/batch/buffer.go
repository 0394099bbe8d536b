package batch

import (
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// buffer is a growing array of E in memory of an Arrow allocator. Its bytes are handed to an Arrow buffer by take, after
// which it starts anew with the same capacity in mind.
type buffer[E any] struct {
	mem  memory.Allocator
	raw  []byte // as allocated
	data []E    // the used front of raw
	hint int    // the capacity of the array that was taken last
}

func (b *buffer[E]) size() int {
	var e E
	return int(unsafe.Sizeof(e))
}

// extend adds n values, whose contents are undefined, and returns them.
func (b *buffer[E]) extend(n int) []E {
	old := len(b.data)
	if old+n > cap(b.data) {
		b.grow(old + n)
	}
	b.data = b.data[:old+n]
	return b.data[old:]
}

func (b *buffer[E]) grow(atLeast int) {
	want := max(atLeast, 2*cap(b.data), b.hint, 64/max(b.size(), 1))
	used := len(b.data)
	if b.raw == nil {
		b.raw = b.mem.Allocate(want * b.size())
	} else {
		b.raw = b.mem.Reallocate(want*b.size(), b.raw)
	}
	b.data = unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b.raw))), want)[:used]
}

// bytes is the size of what the buffer holds.
func (b *buffer[E]) bytes() int { return len(b.data) * b.size() }

// take hands the contents over; the caller owns the Arrow buffer.
func (b *buffer[E]) take() *memory.Buffer {
	b.hint = cap(b.data)
	out := memory.NewBufferWithAllocator(b.raw, b.mem)
	out.ResizeNoShrink(b.bytes()) // the allocator is given back all that it gave
	b.raw, b.data = nil, nil
	return out
}

// release gives the memory back unused.
func (b *buffer[E]) release() {
	if b.raw != nil {
		b.mem.Free(b.raw)
	}
	b.raw, b.data = nil, nil
}

// bitmap is a growing bitmap, least significant bit first.
type bitmap struct {
	buf buffer[byte]
	n   int // bits
	set int // bits that are one
}

func (b *bitmap) append(v bool) {
	if b.n%8 == 0 {
		b.buf.extend(1)[0] = 0
	}
	if v {
		bitutil.SetBit(b.buf.data, b.n)
		b.set++
	}
	b.n++
}

func (b *bitmap) take() *memory.Buffer {
	b.n, b.set = 0, 0
	return b.buf.take()
}
