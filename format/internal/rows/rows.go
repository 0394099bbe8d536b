// Package rows writes records as text, one behind the other: what the text formats have in common. It gathers the text
// and passes it on in pieces, and tells which record could not be written.
package rows

import (
	"fmt"
	"io"

	"fletch/fault"
)

// flushBytes is how much text a Writer gathers before it passes it on.
const flushBytes = 64 << 10

// Writer writes the records of one part.
type Writer struct {
	out  io.Writer
	buf  []byte
	rows int64 // of the batches before
}

// New returns a Writer whose part begins with head, which it takes over.
func New(out io.Writer, head []byte) *Writer { return &Writer{out: out, buf: head} }

// Batch writes n records: record appends the text of one to dst. Its error is the user's, as it lies in the data.
func (w *Writer) Batch(n int, record func(dst []byte, row int) ([]byte, error)) error {
	for row := range n {
		var err error
		if w.buf, err = record(w.buf, row); err != nil {
			return fault.As(fault.User, fmt.Errorf("record %d of this part: %w", w.rows+int64(row)+1, err))
		}
		if len(w.buf) >= flushBytes {
			if err := w.Close(); err != nil {
				return err
			}
		}
	}
	w.rows += int64(n)
	return nil
}

// Close passes on what is gathered.
func (w *Writer) Close() error {
	_, err := w.out.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}
