package csvio

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/fault"
)

// flushBytes is how much text a writer gathers before it passes it on.
const flushBytes = 64 << 10

// writer writes batches of one schema.
type writer struct {
	out   io.Writer
	table *table
	buf   []byte
	rows  int64 // written before this batch
}

// newWriter returns a writer whose buffer holds the header.
func newWriter(schema *arrow.Schema, out io.Writer) (*writer, error) {
	t, err := newTable(schema)
	if err != nil {
		return nil, fault.As(fault.Permanent, err)
	}
	return &writer{out: out, table: t, buf: t.appendHeader(nil)}, nil
}

func (w *writer) Write(rec arrow.Record) error {
	w.table.reset(rec)
	for row := range int(rec.NumRows()) {
		var err error
		if w.buf, err = w.table.appendRow(w.buf, row); err != nil {
			return fault.As(fault.User, fmt.Errorf("record %d of this part: %w", w.rows+int64(row)+1, err))
		}
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
