package batch

import (
	"reflect"
	"unsafe"
)

// Pointed returns a function that tells how many bytes a record's strings and slices hold, or nil for a type that has none.
// What two of them share is counted twice.
func Pointed[T any]() func(rec *T) int64 {
	return ofRecord[T](compilePointed(reflect.TypeFor[T](), false))
}

// Listed is Pointed without what a decoded record shares with its batch: strings and slices of bytes are views of that, other
// slices are allocated.
func Listed[T any]() func(rec *T) int64 {
	return ofRecord[T](compilePointed(reflect.TypeFor[T](), true))
}

func ofRecord[T any](f pointed) func(rec *T) int64 {
	if f == nil {
		return nil
	}
	return func(rec *T) int64 { return f(unsafe.Pointer(rec)) }
}

// pointed tells the bytes that the value at p holds beside its own.
type pointed func(p unsafe.Pointer) int64

// Sizer tells how many bytes records of type T hold beside themselves, as Pointed does, and is fast where they are strings.
type Sizer[T any] struct {
	text bool // T is a string
	of   func(rec *T) int64
}

// NewSizer returns the Sizer of T.
func NewSizer[T any]() Sizer[T] {
	return Sizer[T]{text: reflect.TypeFor[T]().Kind() == reflect.String, of: Pointed[T]()}
}

// Of returns what rec holds.
func (s *Sizer[T]) Of(rec *T) int64 {
	if s.text {
		return int64(len(*(*string)(unsafe.Pointer(rec))))
	}
	if s.of == nil {
		return 0
	}
	return s.of(rec)
}

// compilePointed returns nil for a type that has nothing to count.
func compilePointed(t reflect.Type, decoded bool) pointed {
	if isTime(t) {
		return nil // its location is shared
	}
	switch t.Kind() {
	case reflect.String:
		if decoded {
			return nil
		}
		return func(p unsafe.Pointer) int64 { return int64(len(*(*string)(p))) }
	case reflect.Slice:
		return pointedSlice(t.Elem(), decoded)
	case reflect.Array:
		element := compilePointed(t.Elem(), decoded)
		if element == nil {
			return nil
		}
		n, size := t.Len(), t.Elem().Size()
		return func(p unsafe.Pointer) int64 { return pointedElements(p, n, size, element) }
	case reflect.Struct:
		return pointedStruct(t, decoded)
	default:
		return nil
	}
}

func pointedSlice(elem reflect.Type, decoded bool) pointed {
	if decoded && elem.Kind() == reflect.Uint8 {
		return nil
	}
	element, size := compilePointed(elem, decoded), elem.Size()
	return func(p unsafe.Pointer) int64 {
		s := (*sliceHeader)(p)
		bytes := int64(s.cap) * int64(size)
		if element != nil {
			bytes += pointedElements(s.data, s.len, size, element)
		}
		return bytes
	}
}

func pointedElements(first unsafe.Pointer, n int, size uintptr, element pointed) (bytes int64) {
	for i := range n {
		bytes += element(unsafe.Add(first, uintptr(i)*size))
	}
	return bytes
}

func pointedStruct(t reflect.Type, decoded bool) pointed {
	type field struct {
		offset uintptr
		value  pointed
	}
	var fields []field
	for f := range t.Fields() {
		if skipped(f) {
			continue // it is not moved, and may be of a type that holds itself
		}
		if value := compilePointed(f.Type, decoded); value != nil {
			fields = append(fields, field{f.Offset, value})
		}
	}
	if fields == nil {
		return nil
	}
	return func(p unsafe.Pointer) (bytes int64) {
		for _, f := range fields {
			bytes += f.value(unsafe.Add(p, f.offset))
		}
		return bytes
	}
}
