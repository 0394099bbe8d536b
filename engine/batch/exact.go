package batch

import "reflect"

// Exact tells whether keys that are equal are the same value, so that one may stand for the other. It is not so for floats
// (-0 equals 0), times (in other places) and slices (nil equals empty), nor for what holds them.
func (k *Keyer[K]) Exact() bool { return exact(reflect.TypeFor[K]()) }

func exact(t reflect.Type) bool {
	switch {
	case isTime(t), isOptional(t):
		return false
	}
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if skipped(f) || !exact(f.Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return exact(t.Elem())
	case reflect.Slice, reflect.Float32, reflect.Float64:
		return false
	default:
		return true
	}
}
