package csvio

import (
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/fault"
	"fletch/format/internal/rows"
)

// writer writes batches of one schema.
type writer struct {
	*rows.Writer
	table *table
}

// newWriter returns a writer whose part begins with the header.
func newWriter(schema *arrow.Schema, out io.Writer) (*writer, error) {
	t, err := newTable(schema)
	if err != nil {
		return nil, fault.As(fault.Permanent, err)
	}
	return &writer{rows.New(out, t.appendHeader(nil)), t}, nil
}

func (w *writer) Write(rec arrow.Record) error {
	w.table.reset(rec)
	return w.Batch(int(rec.NumRows()), w.table.appendRow)
}
