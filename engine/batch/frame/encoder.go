package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// continuation begins an encapsulated Arrow message.
const continuation = 0xFFFFFFFF

// Encoder frames records of one schema. It keeps nothing of a record or of a buffer.
type Encoder struct {
	schema *arrow.Schema
	arrow  *ipc.Writer
	sink   payloadSink
}

// NewEncoder returns an Encoder for records of schema.
func NewEncoder(schema *arrow.Schema) *Encoder {
	e := &Encoder{schema: schema}
	e.arrow = ipc.NewWriterWithPayloadWriter(&e.sink, ipc.WithSchema(schema), ipc.WithAllocator(memory.NewGoAllocator()))
	return e
}

// Append appends rec's frame to dst. The frame is a multiple of 8 bytes long, so that it stays aligned where it begins
// aligned. On an error dst comes back as it was; ErrTooLarge says that the record has to be cut into smaller ones.
func (e *Encoder) Append(dst []byte, rec arrow.Record) ([]byte, error) {
	if rec.NumRows() == 0 { // Arrow's writer stumbles over empty slices of binary columns
		b := array.NewRecordBuilder(memory.NewGoAllocator(), e.schema)
		defer b.Release()
		rec = b.NewRecord()
	}
	start := len(dst)
	e.sink.dst = append(dst, make([]byte, HeaderBytes)...)
	err := e.arrow.Write(rec)
	out := e.sink.dst
	e.sink.dst = nil
	if err != nil {
		if errors.Is(err, ErrTooLarge) {
			return dst, err
		}
		return dst, fmt.Errorf("encode record: %w", err)
	}
	payload := out[start+HeaderBytes:]
	header{
		kind:   kindBatch,
		length: len(payload),
		rows:   int(rec.NumRows()),
		crc:    crc32.Checksum(payload, castagnoli),
	}.put(out[start:])
	return out, nil
}

// payloadSink receives the messages of an ipc.Writer and keeps the record batches.
type payloadSink struct {
	dst []byte // ends in a frame's empty header
}

// Start is called once by the ipc.Writer.
func (s *payloadSink) Start() error { return nil }

// Close is never reached: a stream's end is the frames' business.
func (s *payloadSink) Close() error { return nil }

// WritePayload appends a record batch as an encapsulated message; the schema's message is dropped.
func (s *payloadSink) WritePayload(p ipc.Payload) error {
	meta := p.Meta()
	defer meta.Release()
	m := parseMessage(meta.Bytes())
	if m.kind != messageRecordBatch {
		return nil
	}
	padded := (meta.Len() + 7) &^ 7
	if int64(8+padded)+m.bodyLength > MaxBytes-HeaderBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, m.bodyLength, MaxBytes)
	}
	s.dst = binary.LittleEndian.AppendUint32(s.dst, continuation)
	s.dst = binary.LittleEndian.AppendUint32(s.dst, uint32(padded))
	s.dst = append(s.dst, meta.Bytes()...)
	s.dst = append(s.dst, make([]byte, padded-meta.Len())...)
	return p.SerializeBody(s)
}

// Write appends b.
func (s *payloadSink) Write(b []byte) (int, error) {
	s.dst = append(s.dst, b...)
	return len(b), nil
}
