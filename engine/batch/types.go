package batch

import (
	"reflect"
	"strings"
)

// KV is a key with a value.
type KV[K, V any] struct {
	Key   K `fletch:"key"`
	Value V `fletch:"value"`
}

// Optional is a value that may be absent, as in the result of an outer join.
type Optional[T any] struct {
	Value T
	Valid bool // false: absent, and Value means nothing
}

// Some returns a present value.
func Some[T any](v T) Optional[T] { return Optional[T]{Value: v, Valid: true} }

// isOptional tells instances of Optional, but not structs that embed one.
func isOptional(t reflect.Type) bool {
	return t.PkgPath() == optionalPackage && strings.HasPrefix(t.Name(), "Optional[")
}

var optionalPackage = reflect.TypeFor[Optional[bool]]().PkgPath()

// isTime tells time.Time and the types named after it.
func isTime(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.ConvertibleTo(timeType)
}
