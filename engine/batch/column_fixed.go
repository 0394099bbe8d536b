package batch

import (
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// fixedColumn holds numbers: E is both the Go value and the Arrow value.
type fixedColumn[E any] struct{ typ arrow.DataType }

func (c fixedColumn[E]) dataType() arrow.DataType { return c.typ }
func (c fixedColumn[E]) nullable() bool           { return false }
func (c fixedColumn[E]) reader() reader           { return &fixedReader[E]{} }
func (c fixedColumn[E]) appender(mem memory.Allocator) appender {
	return &fixedAppender[E]{typ: c.typ, values: buffer[E]{mem: mem}}
}

type fixedAppender[E any] struct {
	typ    arrow.DataType
	values buffer[E]
}

func (a *fixedAppender[E]) append(base unsafe.Pointer, stride uintptr, n int) error {
	out := a.values.extend(n)
	if stride == unsafe.Sizeof(*new(E)) {
		copy(out, unsafe.Slice((*E)(base), n))
		return nil
	}
	for i := range out {
		out[i] = *(*E)(unsafe.Add(base, uintptr(i)*stride))
	}
	return nil
}

func (a *fixedAppender[E]) bytes() int { return a.values.bytes() }
func (a *fixedAppender[E]) release()   { a.values.release() }

func (a *fixedAppender[E]) take(n int) *array.Data {
	return newData(a.typ, n, 0, nil, a.values.take())
}

type fixedReader[E any] struct{ values []E }

func (r *fixedReader[E]) reset(arr arrow.Array) {
	data := arr.Data()
	r.values = valuesOf[E](data, 1)[data.Offset():][:data.Len()]
}

func (r *fixedReader[E]) read(base unsafe.Pointer, stride uintptr, from, n int) {
	in := r.values[from:][:n]
	if stride == unsafe.Sizeof(*new(E)) {
		copy(unsafe.Slice((*E)(base), n), in)
		return
	}
	for i, v := range in {
		*(*E)(unsafe.Add(base, uintptr(i)*stride)) = v
	}
}

// valuesOf views a buffer of an array as values of E.
func valuesOf[E any](data arrow.ArrayData, i int) []E {
	buf := data.Buffers()[i]
	if buf == nil || buf.Len() == 0 {
		return nil
	}
	b := buf.Bytes()
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(*new(E))))
}

// newData builds array data over buffers whose ownership it takes; nil buffers are absent.
func newData(typ arrow.DataType, n, nulls int, buffers ...*memory.Buffer) *array.Data {
	data := array.NewData(typ, n, buffers, nil, nulls, 0)
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	return data
}

// boolColumn holds booleans, a bit each in Arrow.
type boolColumn struct{}

func (boolColumn) dataType() arrow.DataType { return arrow.FixedWidthTypes.Boolean }
func (boolColumn) nullable() bool           { return false }
func (boolColumn) reader() reader           { return &boolReader{} }
func (boolColumn) appender(mem memory.Allocator) appender {
	return &boolAppender{bitmap{buf: buffer[byte]{mem: mem}}}
}

type boolAppender struct{ values bitmap }

func (a *boolAppender) append(base unsafe.Pointer, stride uintptr, n int) error {
	for i := range n {
		a.values.append(*(*bool)(unsafe.Add(base, uintptr(i)*stride)))
	}
	return nil
}

func (a *boolAppender) bytes() int { return a.values.buf.bytes() }
func (a *boolAppender) release()   { a.values.n, a.values.set = 0, 0; a.values.buf.release() }

func (a *boolAppender) take(n int) *array.Data {
	return newData(arrow.FixedWidthTypes.Boolean, n, 0, nil, a.values.take())
}

type boolReader struct {
	values []byte
	offset int
}

func (r *boolReader) reset(arr arrow.Array) {
	data := arr.Data()
	r.values, r.offset = valuesOf[byte](data, 1), data.Offset()
}

func (r *boolReader) read(base unsafe.Pointer, stride uintptr, from, n int) {
	for i := range n {
		*(*bool)(unsafe.Add(base, uintptr(i)*stride)) = bitutil.BitIsSet(r.values, r.offset+from+i)
	}
}

// timeColumn holds times as seconds and nanoseconds, which together cover every time.Time.
type timeColumn struct{}

var timeStruct = arrow.StructOf(
	arrow.Field{Name: "sec", Type: arrow.FixedWidthTypes.Timestamp_s},
	arrow.Field{Name: "nano", Type: arrow.PrimitiveTypes.Int32},
)

func (timeColumn) dataType() arrow.DataType { return timeStruct }
func (timeColumn) nullable() bool           { return false }
func (timeColumn) reader() reader           { return &timeReader{} }
func (timeColumn) appender(mem memory.Allocator) appender {
	return &timeAppender{sec: buffer[int64]{mem: mem}, nano: buffer[int32]{mem: mem}}
}

type timeAppender struct {
	sec  buffer[int64]
	nano buffer[int32]
}

func (a *timeAppender) append(base unsafe.Pointer, stride uintptr, n int) error {
	sec, nano := a.sec.extend(n), a.nano.extend(n)
	for i := range n {
		t := (*time.Time)(unsafe.Add(base, uintptr(i)*stride))
		sec[i], nano[i] = t.Unix(), int32(t.Nanosecond())
	}
	return nil
}

func (a *timeAppender) bytes() int { return a.sec.bytes() + a.nano.bytes() }
func (a *timeAppender) release()   { a.sec.release(); a.nano.release() }

func (a *timeAppender) take(n int) *array.Data {
	return nest(timeStruct, n, 0, nil,
		newData(arrow.FixedWidthTypes.Timestamp_s, n, 0, nil, a.sec.take()),
		newData(arrow.PrimitiveTypes.Int32, n, 0, nil, a.nano.take()))
}

type timeReader struct {
	sec  fixedReader[int64]
	nano fixedReader[int32]
}

func (r *timeReader) reset(arr arrow.Array) {
	s := arr.(*array.Struct)
	r.sec.reset(s.Field(0))
	r.nano.reset(s.Field(1))
}

func (r *timeReader) read(base unsafe.Pointer, stride uintptr, from, n int) {
	sec, nano := r.sec.values[from:][:n], r.nano.values[from:][:n]
	for i := range n {
		*(*time.Time)(unsafe.Add(base, uintptr(i)*stride)) = time.Unix(sec[i], int64(nano[i])).UTC()
	}
}
