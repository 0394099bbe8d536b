package textio

import (
	"bytes"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"fletch/fault"
)

// flushBytes is how much text a writer gathers before it passes it on.
const flushBytes = 64 << 10

// writer writes each record of one string column as a line.
type writer struct {
	out  io.Writer
	buf  []byte
	rows int64 // written before this batch
}

func (w *writer) Write(rec arrow.Record) error {
	if rec.NumRows() == 0 {
		return nil
	}
	column := rec.Column(0).(*array.String)
	offsets, data := column.ValueOffsets(), column.ValueBytes()
	first := int(offsets[0])
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return w.broken(offsets, data, first+i)
	}
	for row := range column.Len() {
		w.buf = append(w.buf, data[int(offsets[row])-first:int(offsets[row+1])-first]...)
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

// broken says which record holds the newline at an offset of the column.
func (w *writer) broken(offsets []int32, data []byte, at int) error {
	row := 0
	for int(offsets[row+1]) <= at {
		row++
	}
	text := data[offsets[row]-offsets[0] : offsets[row+1]-offsets[0]]
	return fault.As(fault.User, fmt.Errorf("record %d of this part would break into two lines: it holds a newline: %.100q", w.rows+int64(row)+1, text))
}

// Close passes on what is gathered.
func (w *writer) Close() error {
	_, err := w.out.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}
