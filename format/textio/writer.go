package textio

import (
	"bytes"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"fletch/format/internal/rows"
)

// writer writes each record of one string column as a line.
type writer struct{ *rows.Writer }

func newWriter(out io.Writer) *writer { return &writer{rows.New(out, nil)} }

func (w *writer) Write(rec arrow.Record) error {
	column := rec.Column(0).(*array.String)
	if column.Len() == 0 {
		return nil
	}
	offsets, data := column.ValueOffsets(), column.ValueBytes()
	first := int(offsets[0])
	broken := bytes.IndexByte(data, '\n') >= 0 // one look at the whole column, and at its records only then
	return w.Batch(column.Len(), func(dst []byte, row int) ([]byte, error) {
		line := data[int(offsets[row])-first : int(offsets[row+1])-first]
		if broken && bytes.IndexByte(line, '\n') >= 0 {
			return dst, fmt.Errorf("it would break into two lines, as it holds a newline: %.100q", line)
		}
		return append(append(dst, line...), '\n'), nil
	})
}
