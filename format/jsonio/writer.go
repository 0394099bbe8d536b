package jsonio

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/fault"
	"fletch/format/internal/jsontext"
)

// flushBytes is how much text a writer gathers before it passes it on.
const flushBytes = 64 << 10

// writer writes batches of one schema.
type writer struct {
	out  io.Writer
	buf  []byte
	rows int64 // written before this batch

	reset  func(columns []arrow.Array)
	record func(dst []byte, row int) ([]byte, error)
}

// newWriter returns a writer of objects, or of the bare values of the one column if scalar is set.
func newWriter(schema *arrow.Schema, scalar bool, out io.Writer) *writer {
	if scalar {
		value := jsontext.Compile(schema.Field(0))
		return &writer{out: out, reset: func(columns []arrow.Array) { value.Reset(columns[0]) }, record: value.Append}
	}
	object := jsontext.NewObject(schema.Fields())
	return &writer{out: out, reset: object.Reset, record: object.Append}
}

func (w *writer) Write(rec arrow.Record) error {
	w.reset(rec.Columns())
	for row := range int(rec.NumRows()) {
		var err error
		if w.buf, err = w.record(w.buf, row); err != nil {
			return fault.As(fault.User, fmt.Errorf("record %d of this part: %w", w.rows+int64(row)+1, err))
		}
		w.buf = append(w.buf, '\n')
		if len(w.buf) >= flushBytes {
			if err := w.Close(); err != nil {
				return err
			}
		}
	}
	w.rows += rec.NumRows()
	return nil
}

// Close passes on what is gathered.
func (w *writer) Close() error {
	_, err := w.out.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}
