package frame

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
)

// firstReadBytes is how much of a frame is allocated on the word of its header alone. A longer frame is read in steps
// that double, so that a length that nothing follows costs no more than twice what is there.
const firstReadBytes = 1 << 20

// Reader reads one stream of frames to its end mark.
type Reader struct {
	r      io.Reader
	schema *arrow.Schema
	header [HeaderBytes]byte
	offset int64 // of the next frame
	frames int64
	rows   int64
	err    error // sticky
}

// NewReader returns a Reader of the stream r, whose records have the given schema.
func NewReader(r io.Reader, schema *arrow.Schema) *Reader {
	return &Reader{r: r, schema: schema}
}

// Next returns the next record, which the caller owns; its memory is fresh and never reused. It returns io.EOF once the
// end mark agrees with what was read and nothing follows it. Every other end is an ErrCorrupt or r's own error.
func (r *Reader) Next() (arrow.Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	rec, err := r.next()
	r.err = err
	return rec, err
}

func (r *Reader) next() (arrow.Record, error) {
	if err := r.fill(r.header[:], "header"); err != nil {
		return nil, err
	}
	h, err := parseHeader(r.header[:], r.offset)
	if err != nil {
		return nil, err
	}
	payload, err := r.payload(h.length)
	if err != nil {
		return nil, err
	}
	at := r.offset
	r.offset += HeaderBytes + int64(h.length)
	if h.kind == kindEnd {
		return nil, r.end(h, payload, at)
	}
	rec, err := h.decode(payload, at, r.schema)
	if err != nil {
		return nil, err
	}
	r.frames++
	r.rows += rec.NumRows()
	return rec, nil
}

// end returns io.EOF if the stream may end here.
func (r *Reader) end(h header, payload []byte, at int64) error {
	if err := h.checkEnd(payload, at, r.frames, r.rows); err != nil {
		return err
	}
	var extra [1]byte
	switch _, err := io.ReadFull(r.r, extra[:]); {
	case err == nil:
		return corrupt(r.offset, "bytes after the end mark")
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("read after the end mark: %w", err)
	}
	return io.EOF
}

// payload reads n bytes into fresh memory.
func (r *Reader) payload(n int) ([]byte, error) {
	b := make([]byte, min(n, firstReadBytes))
	for read := 0; ; {
		if err := r.fill(b[read:], "payload"); err != nil {
			return nil, err
		}
		if len(b) == n {
			return b, nil
		}
		read = len(b)
		grown := make([]byte, min(n, 2*read))
		copy(grown, b)
		b = grown
	}
}

// fill reads len(b) bytes of the frame at r.offset.
func (r *Reader) fill(b []byte, what string) error {
	_, err := io.ReadFull(r.r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return cut(r.offset, what)
	}
	if err != nil {
		return fmt.Errorf("read frame at byte %d: %w", r.offset, err)
	}
	return nil
}
