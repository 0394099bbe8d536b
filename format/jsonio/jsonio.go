// Package jsonio writes JSON Lines: a record a line.
//
// A record of a scalar type is a bare value, any other is an object of its columns: "key" and "value" for a KV, the
// fields' names for a struct. How values are written stands in package format/internal/jsontext: among others, int64 as
// numbers of all their digits, bytes as base64, durations as nanoseconds, times as RFC 3339. JSON text is UTF-8: what is
// none in a string becomes \ufffd; a []byte keeps it. A float that is NaN or infinite fails the job.
package jsonio

import (
	"io"
	"reflect"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine"
	"fletch/engine/batch"
	"fletch/engine/plan"
)

// Write makes dir a directory of JSON Lines files, part-00000.jsonl and so on.
func Write[T any](in engine.Dataset[T], dir string) {
	engine.To(in, engine.Sink[T]{
		Op:       "jsonio.Write",
		Location: plan.Location{Path: dir, Suffix: ".jsonl"},
		Open: func(_ *engine.Task, w io.Writer) (engine.Writer, error) {
			codec, err := batch.CodecOf[T]()
			if err != nil {
				return nil, err
			}
			return newWriter(codec.Schema(), isScalar(codec.Schema(), reflect.TypeFor[T]()), w), nil
		},
	})
}

// isScalar tells records of one value from structs. The one column of a scalar is named "value", a name that a struct's
// column only gets from a tag.
func isScalar(schema *arrow.Schema, t reflect.Type) bool {
	if schema.NumFields() != 1 || schema.Field(0).Name != "value" {
		return false
	}
	if t.Kind() != reflect.Struct {
		return true
	}
	for f := range t.Fields() {
		if f.Tag.Get("fletch") == "value" {
			return false
		}
	}
	return true // a time or an Optional
}
