package frame

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Decode verifies b, which is exactly one frame, and returns its record. The record's columns are views of b: the
// caller must never change or reuse it. Offsets in an error count from the start of b.
func Decode(b []byte, schema *arrow.Schema) (arrow.Record, error) {
	h, payload, err := split(b)
	if err != nil {
		return nil, err
	}
	return h.decode(payload, 0, schema)
}

// Verify checks that b is exactly one frame, as it was written. It needs no schema and looks at no column.
func Verify(b []byte) error {
	h, payload, err := split(b)
	if err != nil {
		return err
	}
	return h.verify(payload, 0)
}

// split returns the header and the payload of b, which is exactly one frame.
func split(b []byte) (header, []byte, error) {
	h, err := parseHeader(b, 0)
	if err != nil {
		return header{}, nil, err
	}
	payload := b[HeaderBytes:]
	switch {
	case h.kind != kindBatch:
		return header{}, nil, corrupt(0, "an end mark where a frame should be")
	case len(payload) < h.length:
		return header{}, nil, cut(0, "payload")
	case len(payload) > h.length:
		return header{}, nil, corrupt(int64(HeaderBytes+h.length), "more bytes than the frame has")
	}
	return h, payload, nil
}

// decode verifies payload and builds the record over it. The payload stands at offset of the stream.
func (h header) decode(payload []byte, offset int64, schema *arrow.Schema) (rec arrow.Record, err error) {
	if err := h.verify(payload, offset); err != nil {
		return nil, err
	}
	// The checksum says that these are the bytes that were written, not that they make sense under this schema: what
	// is broken in spite of it shows as an index out of range in the metadata or in Arrow's constructors.
	defer func() {
		if p := recover(); p != nil {
			rec, err = nil, corrupt(offset, fmt.Sprintf("record batch: %v", p))
		}
	}()
	metaLength := binary.LittleEndian.Uint32(payload[4:])
	if binary.LittleEndian.Uint32(payload) != continuation {
		return nil, corrupt(offset, "no Arrow message")
	}
	meta, body := payload[8:8+uint64(metaLength)], payload[8+uint64(metaLength):]
	m := parseMessage(meta)
	if m.kind != messageRecordBatch || m.version != metadataV5 || m.bodyLength != int64(len(body)) {
		return nil, corrupt(offset, "another Arrow message than a record batch of this length")
	}
	batch := m.batch()
	if batch.compressed || batch.rows != int64(h.rows) {
		return nil, corrupt(offset, "record batch does not agree with its frame")
	}
	l := loader{nodes: batch.nodes, buffers: batch.buffers, body: body}
	columns := make([]arrow.Array, schema.NumFields())
	for i := range columns {
		columns[i] = array.MakeFromData(l.load(schema.Field(i).Type, h.rows))
	}
	if len(l.nodes) != 0 || len(l.buffers) != 0 {
		return nil, corrupt(offset, "more columns than the schema has")
	}
	return array.NewRecord(schema, columns, int64(h.rows)), nil
}

// loader builds arrays over a record batch's body, depth first. It panics on what does not fit: whatever it returns may
// be read at every row without another check.
type loader struct {
	nodes   []byte
	buffers []byte
	body    []byte
}

// load builds the next array, which has to have the given length.
func (l *loader) load(dt arrow.DataType, length int) arrow.ArrayData {
	var nodeLength, nulls int64
	nodeLength, nulls, l.nodes = pair(l.nodes)
	if nodeLength != int64(length) || length > math.MaxInt32 || nulls < 0 || nulls > nodeLength {
		panic(fmt.Sprintf("%s column of %d rows and %d nulls, the batch has %d rows", dt, nodeLength, nulls, length))
	}
	valid := l.buffer()
	if nulls == 0 {
		valid = nil
	} else {
		atLeast(valid, bitutil.BytesForBits(nodeLength))
	}
	buffers := []*memory.Buffer{valid}
	var children []arrow.ArrayData
	switch dt := dt.(type) {
	case *arrow.BooleanType:
		buffers = append(buffers, atLeast(l.buffer(), bitutil.BytesForBits(nodeLength)))
	case *arrow.StringType, *arrow.BinaryType:
		offsets, end := l.offsets(length)
		buffers = append(buffers, offsets, atLeast(l.buffer(), end))
	case *arrow.ListType:
		offsets, end := l.offsets(length)
		buffers = append(buffers, offsets)
		children = append(children, l.load(dt.Elem(), int(end)))
	case *arrow.FixedSizeListType:
		children = append(children, l.load(dt.Elem(), length*int(dt.Len())))
	case *arrow.StructType:
		for _, f := range dt.Fields() {
			children = append(children, l.load(f.Type, length))
		}
	case *arrow.DictionaryType:
		panic("dictionary column")
	case arrow.FixedWidthDataType:
		buffers = append(buffers, atLeast(l.buffer(), nodeLength*int64(dt.Bytes())))
	default:
		panic(fmt.Sprintf("column type %s", dt))
	}
	return array.NewData(dt, length, buffers, children, int(nulls), 0)
}

// buffer returns the next buffer of the body.
func (l *loader) buffer() *memory.Buffer {
	var offset, length int64
	offset, length, l.buffers = pair(l.buffers)
	if offset < 0 || length < 0 || offset > int64(len(l.body)) || length > int64(len(l.body))-offset {
		panic(fmt.Sprintf("buffer of %d bytes at %d in a body of %d", length, offset, len(l.body)))
	}
	return memory.NewBufferBytes(l.body[offset : offset+length : offset+length])
}

// offsets returns the next buffer, length+1 offsets that start at zero and never fall, and the last of them.
func (l *loader) offsets(length int) (*memory.Buffer, int64) {
	b := l.buffer()
	if length == 0 && b.Len() == 0 {
		return b, 0
	}
	atLeast(b, int64(length+1)*4)
	values := arrow.Int32Traits.CastFromBytes(b.Bytes())[:length+1]
	last := int32(0)
	falls := values[0]
	for _, v := range values {
		falls |= v | (v - last) // negative once an offset is, or falls
		last = v
	}
	if falls < 0 || values[0] != 0 {
		panic("offsets that fall")
	}
	return b, int64(last)
}

// atLeast returns b, which has to hold n bytes.
func atLeast(b *memory.Buffer, n int64) *memory.Buffer {
	if int64(b.Len()) < n {
		panic(fmt.Sprintf("buffer of %d bytes, needed are %d", b.Len(), n))
	}
	return b
}
