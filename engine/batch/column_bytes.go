package batch

import (
	"math"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// stringColumn holds strings: offsets and bytes in Arrow.
type stringColumn struct{}

func (stringColumn) dataType() arrow.DataType { return arrow.BinaryTypes.String }
func (stringColumn) nullable() bool           { return false }
func (stringColumn) reader() reader           { return &stringReader{} }
func (stringColumn) appender(mem memory.Allocator) appender {
	return &stringAppender{varlen: newVarlen(mem)}
}

// varlen collects values of varying length.
type varlen struct {
	offsets buffer[int32] // empty, or one more than there are values
	data    buffer[byte]
}

func newVarlen(mem memory.Allocator) varlen {
	return varlen{offsets: buffer[int32]{mem: mem}, data: buffer[byte]{mem: mem}}
}

// extend adds room for n values of together size bytes: their end offsets, their bytes, and where these begin.
func (v *varlen) extend(n, size int) (ends []int32, data []byte, start int, err error) {
	start = len(v.data.data)
	if start+size > math.MaxInt32 {
		return nil, nil, 0, ErrTooLarge
	}
	v.begin()
	return v.offsets.extend(n), v.data.extend(size), start, nil
}

// begin writes the offset of the first value.
func (v *varlen) begin() {
	if len(v.offsets.data) == 0 {
		v.offsets.extend(1)[0] = 0
	}
}

func (v *varlen) bytes() int { return v.offsets.bytes() + v.data.bytes() }
func (v *varlen) release()   { v.offsets.release(); v.data.release() }

func (v *varlen) take() (offsets, data *memory.Buffer) {
	v.begin()
	return v.offsets.take(), v.data.take()
}

type stringAppender struct{ varlen }

func (a *stringAppender) append(base unsafe.Pointer, stride uintptr, n int) error {
	size := 0
	for i := range n {
		size += len(*(*string)(unsafe.Add(base, uintptr(i)*stride)))
	}
	ends, data, start, err := a.extend(n, size)
	if err != nil {
		return err
	}
	at := 0
	for i := range ends {
		at += copy(data[at:], *(*string)(unsafe.Add(base, uintptr(i)*stride)))
		ends[i] = int32(start + at)
	}
	return nil
}

func (a *stringAppender) take(n int) *array.Data {
	offsets, data := a.varlen.take()
	return newData(arrow.BinaryTypes.String, n, 0, nil, offsets, data)
}

type stringReader struct {
	offsets []int32 // one more than there are values
	data    []byte
}

func (r *stringReader) reset(arr arrow.Array) {
	data := arr.Data()
	r.offsets, r.data = offsetsOf(data), valuesOf[byte](data, 2)
}

// offsetsOf returns the n+1 offsets of an array of n values.
func offsetsOf(data arrow.ArrayData) []int32 {
	if data.Len() == 0 {
		return []int32{0}
	}
	return valuesOf[int32](data, 1)[data.Offset():][:data.Len()+1]
}

func (r *stringReader) read(base unsafe.Pointer, stride uintptr, from, n int) {
	offsets := r.offsets[from:][:n+1]
	bytes := unsafe.Pointer(unsafe.SliceData(r.data))
	start := offsets[0]
	for i, end := range offsets[1:] {
		s := (*string)(unsafe.Add(base, uintptr(i)*stride))
		if end == start {
			*s = "" // a view could point behind the buffer, at memory of another object
		} else {
			*s = unsafe.String((*byte)(unsafe.Add(bytes, start)), int(end-start))
		}
		start = end
	}
}

// binaryColumn holds byte slices; nil is null.
type binaryColumn struct{}

func (binaryColumn) dataType() arrow.DataType { return arrow.BinaryTypes.Binary }
func (binaryColumn) nullable() bool           { return true }
func (binaryColumn) reader() reader           { return &binaryReader{} }
func (binaryColumn) appender(mem memory.Allocator) appender {
	return &binaryAppender{varlen: newVarlen(mem), valid: bitmap{buf: buffer[byte]{mem: mem}}}
}

type binaryAppender struct {
	varlen
	valid bitmap
}

func (a *binaryAppender) append(base unsafe.Pointer, stride uintptr, n int) error {
	size := 0
	for i := range n {
		size += len(*(*[]byte)(unsafe.Add(base, uintptr(i)*stride)))
	}
	ends, data, start, err := a.extend(n, size)
	if err != nil {
		return err
	}
	at := 0
	for i := range ends {
		v := *(*[]byte)(unsafe.Add(base, uintptr(i)*stride))
		a.valid.append(v != nil)
		at += copy(data[at:], v)
		ends[i] = int32(start + at)
	}
	return nil
}

func (a *binaryAppender) bytes() int { return a.varlen.bytes() + a.valid.buf.bytes() }

func (a *binaryAppender) release() {
	a.varlen.release()
	a.valid.n, a.valid.set = 0, 0
	a.valid.buf.release()
}

func (a *binaryAppender) take(n int) *array.Data {
	nulls := n - a.valid.set
	offsets, data := a.varlen.take()
	return newData(arrow.BinaryTypes.Binary, n, nulls, a.valid.take(), offsets, data)
}

type binaryReader struct {
	stringReader
	valid validity
}

func (r *binaryReader) reset(arr arrow.Array) {
	r.stringReader.reset(arr)
	r.valid.reset(arr)
}

func (r *binaryReader) read(base unsafe.Pointer, stride uintptr, from, n int) {
	for i := range n {
		var v []byte
		if r.valid.at(from + i) {
			start, end := r.offsets[from+i], r.offsets[from+i+1]
			v = r.data[start:end:end] // an append by user code must not run into the next value
			if v == nil {
				v = []byte{}
			}
		}
		*(*[]byte)(unsafe.Add(base, uintptr(i)*stride)) = v
	}
}

// validity tells null values from the others.
type validity struct {
	mask   []byte // nil: none is null
	offset int
}

func (v *validity) reset(arr arrow.Array) {
	v.mask, v.offset = nil, arr.Data().Offset()
	if arr.NullN() > 0 {
		v.mask = arr.NullBitmapBytes()
	}
}

func (v *validity) at(i int) bool {
	return v.mask == nil || bitutil.BitIsSet(v.mask, v.offset+i)
}
