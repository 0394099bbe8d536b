package batch

import (
	"math"
	"reflect"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// nest builds array data with children; it takes the ownership of valid and of the children.
func nest(typ arrow.DataType, n, nulls int, buffers []*memory.Buffer, children ...*array.Data) *array.Data {
	kids := make([]arrow.ArrayData, len(children))
	for i, c := range children {
		kids[i] = c
	}
	if buffers == nil {
		buffers = []*memory.Buffer{nil}
	}
	data := array.NewData(typ, n, buffers, kids, nulls, 0)
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	for _, c := range children {
		c.Release()
	}
	return data
}

// structColumn holds a struct within a record.
type structColumn struct{ fields []field }

func (c structColumn) dataType() arrow.DataType {
	fields := make([]arrow.Field, len(c.fields))
	for i, f := range c.fields {
		fields[i] = arrow.Field{Name: f.name, Type: f.column.dataType(), Nullable: f.column.nullable()}
	}
	return arrow.StructOf(fields...)
}

func (c structColumn) nullable() bool { return false }

func (c structColumn) appender(mem memory.Allocator) appender {
	a := &structAppender{column: c, typ: c.dataType()}
	for _, f := range c.fields {
		a.fields = append(a.fields, f.column.appender(mem))
	}
	return a
}

func (c structColumn) reader() reader {
	r := &structReader{column: c}
	for _, f := range c.fields {
		r.fields = append(r.fields, f.column.reader())
	}
	return r
}

type structAppender struct {
	column structColumn
	typ    arrow.DataType
	fields []appender
}

func (a *structAppender) append(base unsafe.Pointer, stride uintptr, n int) error {
	for i, f := range a.column.fields {
		if err := a.fields[i].append(unsafe.Add(base, f.offset), stride, n); err != nil {
			return err
		}
	}
	return nil
}

func (a *structAppender) bytes() int {
	n := 0
	for _, f := range a.fields {
		n += f.bytes()
	}
	return n
}

func (a *structAppender) release() {
	for _, f := range a.fields {
		f.release()
	}
}

func (a *structAppender) take(n int) *array.Data {
	children := make([]*array.Data, len(a.fields))
	for i, f := range a.fields {
		children[i] = f.take(n)
	}
	return nest(a.typ, n, 0, nil, children...)
}

type structReader struct {
	column structColumn
	fields []reader
}

func (r *structReader) reset(arr arrow.Array) {
	s := arr.(*array.Struct)
	for i, f := range r.fields {
		f.reset(s.Field(i)) // sliced to the struct's own rows
	}
}

func (r *structReader) read(base unsafe.Pointer, stride uintptr, from, n int) {
	for i, f := range r.column.fields {
		r.fields[i].read(unsafe.Add(base, f.offset), stride, from, n)
	}
}

// optionalColumn holds an Optional: its value's column with nulls where the value is absent.
type optionalColumn struct {
	value       column
	valueType   reflect.Type
	validOffset uintptr
}

func (c optionalColumn) dataType() arrow.DataType { return c.value.dataType() }
func (c optionalColumn) nullable() bool           { return true }

func (c optionalColumn) appender(mem memory.Allocator) appender {
	return &optionalAppender{column: c, value: c.value.appender(mem), valid: bitmap{buf: buffer[byte]{mem: mem}}}
}

func (c optionalColumn) reader() reader {
	return &optionalReader{column: c, value: c.value.reader(), zero: reflect.Zero(c.valueType)}
}

type optionalAppender struct {
	column optionalColumn
	value  appender
	valid  bitmap
}

func (a *optionalAppender) append(base unsafe.Pointer, stride uintptr, n int) error {
	for i := range n {
		a.valid.append(*(*bool)(unsafe.Add(base, uintptr(i)*stride+a.column.validOffset)))
	}
	return a.value.append(base, stride, n)
}

func (a *optionalAppender) bytes() int { return a.value.bytes() + a.valid.buf.bytes() }

func (a *optionalAppender) release() {
	a.valid.n, a.valid.set = 0, 0
	a.valid.buf.release()
	a.value.release()
}

func (a *optionalAppender) take(n int) *array.Data {
	nulls := n - a.valid.set
	value := a.value.take(n)
	defer value.Release()
	valid := a.valid.take()
	defer valid.Release()
	buffers := append([]*memory.Buffer{valid}, value.Buffers()[1:]...)
	return array.NewData(value.DataType(), n, buffers, value.Children(), nulls, 0)
}

type optionalReader struct {
	column optionalColumn
	value  reader
	zero   reflect.Value
	valid  validity
}

func (r *optionalReader) reset(arr arrow.Array) {
	r.valid.reset(arr)
	r.value.reset(arr)
}

func (r *optionalReader) read(base unsafe.Pointer, stride uintptr, from, n int) {
	r.value.read(base, stride, from, n)
	for i := range n {
		p := unsafe.Add(base, uintptr(i)*stride)
		valid := r.valid.at(from + i)
		*(*bool)(unsafe.Add(p, r.column.validOffset)) = valid
		if !valid {
			reflect.NewAt(r.column.valueType, p).Elem().Set(r.zero)
		}
	}
}

// arrayColumn holds Go arrays of n elements of size bytes.
type arrayColumn struct {
	n       int
	size    uintptr
	element column
}

func (c arrayColumn) dataType() arrow.DataType {
	return arrow.FixedSizeListOfField(int32(c.n), elementField(c.element))
}

func elementField(c column) arrow.Field {
	return arrow.Field{Name: "item", Type: c.dataType(), Nullable: c.nullable()}
}

func (c arrayColumn) nullable() bool { return false }
func (c arrayColumn) reader() reader { return &arrayReader{column: c, element: c.element.reader()} }
func (c arrayColumn) appender(mem memory.Allocator) appender {
	return &arrayAppender{column: c, element: c.element.appender(mem)}
}

type arrayAppender struct {
	column  arrayColumn
	element appender
}

func (a *arrayAppender) append(base unsafe.Pointer, stride uintptr, n int) error {
	if stride == a.column.size*uintptr(a.column.n) {
		return a.element.append(base, a.column.size, n*a.column.n)
	}
	for i := range n {
		if err := a.element.append(unsafe.Add(base, uintptr(i)*stride), a.column.size, a.column.n); err != nil {
			return err
		}
	}
	return nil
}

func (a *arrayAppender) bytes() int { return a.element.bytes() }
func (a *arrayAppender) release()   { a.element.release() }

func (a *arrayAppender) take(n int) *array.Data {
	return nest(a.column.dataType(), n, 0, nil, a.element.take(n*a.column.n))
}

type arrayReader struct {
	column  arrayColumn
	element reader
	offset  int
}

func (r *arrayReader) reset(arr arrow.Array) {
	r.offset = arr.Data().Offset()
	r.element.reset(arr.(*array.FixedSizeList).ListValues())
}

func (r *arrayReader) read(base unsafe.Pointer, stride uintptr, from, n int) {
	for i := range n {
		r.element.read(unsafe.Add(base, uintptr(i)*stride), r.column.size, (r.offset+from+i)*r.column.n, r.column.n)
	}
}

// listColumn holds slices; nil is null.
type listColumn struct {
	slice   reflect.Type
	element column
}

func (c listColumn) dataType() arrow.DataType { return arrow.ListOfField(elementField(c.element)) }
func (c listColumn) nullable() bool           { return true }

func (c listColumn) appender(mem memory.Allocator) appender {
	return &listAppender{
		column: c, element: c.element.appender(mem), size: c.slice.Elem().Size(),
		offsets: buffer[int32]{mem: mem}, valid: bitmap{buf: buffer[byte]{mem: mem}},
	}
}

func (c listColumn) reader() reader { return &listReader{column: c, element: c.element.reader()} }

// sliceHeader is any slice as the runtime lays it out.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

type listAppender struct {
	column   listColumn
	element  appender
	size     uintptr // of an element
	elements int
	offsets  buffer[int32] // the end of each list
	valid    bitmap
}

func (a *listAppender) append(base unsafe.Pointer, stride uintptr, n int) error {
	ends := a.offsets.extend(n)
	for i := range n {
		s := (*sliceHeader)(unsafe.Add(base, uintptr(i)*stride))
		if a.elements+s.len > math.MaxInt32 {
			return ErrTooLarge
		}
		a.valid.append(s.data != nil)
		if s.len > 0 { // else no field of an element has an address
			if err := a.element.append(s.data, a.size, s.len); err != nil {
				return err
			}
		}
		a.elements += s.len
		ends[i] = int32(a.elements)
	}
	return nil
}

func (a *listAppender) bytes() int {
	return a.element.bytes() + a.offsets.bytes() + a.valid.buf.bytes()
}

func (a *listAppender) release() {
	a.elements, a.valid.n, a.valid.set = 0, 0, 0
	a.element.release()
	a.offsets.release()
	a.valid.buf.release()
}

func (a *listAppender) take(n int) *array.Data {
	nulls, elements := n-a.valid.set, a.elements
	a.elements = 0
	a.offsets.extend(1)
	copy(a.offsets.data[1:], a.offsets.data) // ends to the n+1 offsets of Arrow
	a.offsets.data[0] = 0
	return nest(a.column.dataType(), n, nulls, []*memory.Buffer{a.valid.take(), a.offsets.take()}, a.element.take(elements))
}

type listReader struct {
	column  listColumn
	element reader
	offsets []int32
	valid   validity
}

func (r *listReader) reset(arr arrow.Array) {
	r.valid.reset(arr)
	r.offsets = offsetsOf(arr.Data())
	r.element.reset(arr.(*array.List).ListValues())
}

// read decodes the elements of all n lists into one backing array and gives each list its part.
func (r *listReader) read(base unsafe.Pointer, stride uintptr, from, n int) {
	first, last := int(r.offsets[from]), int(r.offsets[from+n])
	backing := reflect.MakeSlice(r.column.slice, last-first, last-first)
	elements, size := backing.UnsafePointer(), r.column.slice.Elem().Size()
	if last > first {
		r.element.read(elements, size, first, last-first)
	}
	for i := range n {
		list := (*sliceHeader)(unsafe.Add(base, uintptr(i)*stride))
		if !r.valid.at(from + i) {
			*list = sliceHeader{}
			continue
		}
		start, length := int(r.offsets[from+i])-first, int(r.offsets[from+i+1]-r.offsets[from+i])
		*list = sliceHeader{elements, length, length} // of an empty list: not nil, which would be null
		if length > 0 {
			list.data = unsafe.Add(elements, uintptr(start)*size)
		}
	}
}
