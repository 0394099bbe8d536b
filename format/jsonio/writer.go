package jsonio

import (
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/format/internal/jsontext"
	"fletch/format/internal/rows"
)

// writer writes batches of one schema.
type writer struct {
	*rows.Writer
	reset  func(columns []arrow.Array)
	record func(dst []byte, row int) ([]byte, error)
}

// newWriter returns a writer of objects, or of the bare values of the one column if scalar is set.
func newWriter(schema *arrow.Schema, scalar bool, out io.Writer) *writer {
	w := &writer{Writer: rows.New(out, nil)}
	if scalar {
		value := jsontext.Compile(schema.Field(0))
		w.reset, w.record = func(columns []arrow.Array) { value.Reset(columns[0]) }, value.Append
	} else {
		object := jsontext.NewObject(schema.Fields())
		w.reset, w.record = object.Reset, object.Append
	}
	return w
}

func (w *writer) Write(rec arrow.Record) error {
	w.reset(rec.Columns())
	return w.Batch(int(rec.NumRows()), w.line)
}

func (w *writer) line(dst []byte, row int) ([]byte, error) {
	dst, err := w.record(dst, row)
	return append(dst, '\n'), err
}
