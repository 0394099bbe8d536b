package frame

import (
	"encoding/binary"

	flatbuffers "github.com/google/flatbuffers/go"
)

// The message types and the metadata version of Arrow's format (format/Message.fbs, Schema.fbs) that frames use.
const (
	messageRecordBatch = 3
	metadataV5         = 4
)

// The slots of Arrow's flatbuffer tables.
const (
	slotMessageVersion    = 4
	slotMessageKind       = 6
	slotMessageHeader     = 8
	slotMessageBodyLength = 10

	slotBatchLength      = 4
	slotBatchNodes       = 6
	slotBatchBuffers     = 8
	slotBatchCompression = 10
)

// structBytes is the length of Arrow's two metadata structs, FieldNode and Buffer: two 64-bit integers each.
const structBytes = 16

// message is the metadata of an encapsulated Arrow message. Its methods panic on metadata that points outside itself;
// Decode turns that into an error.
type message struct {
	version    int16
	kind       byte
	bodyLength int64
	table      flatbuffers.Table
}

func parseMessage(meta []byte) message {
	t := flatbuffers.Table{Bytes: meta, Pos: flatbuffers.GetUOffsetT(meta)}
	return message{
		version:    t.GetInt16Slot(slotMessageVersion, 0),
		kind:       t.GetByteSlot(slotMessageKind, 0),
		bodyLength: t.GetInt64Slot(slotMessageBodyLength, 0),
		table:      t,
	}
}

// batchMeta is the metadata of one record batch: the flattened fields and buffers, depth first.
type batchMeta struct {
	rows       int64
	compressed bool
	nodes      []byte // FieldNode{length, null count}
	buffers    []byte // Buffer{offset, length} in the body
}

// batch returns the metadata of a message whose kind is messageRecordBatch.
func (m message) batch() batchMeta {
	var t flatbuffers.Table
	m.table.Union(&t, flatbuffers.UOffsetT(m.table.Offset(slotMessageHeader)))
	return batchMeta{
		rows:       t.GetInt64Slot(slotBatchLength, 0),
		compressed: t.Offset(slotBatchCompression) != 0,
		nodes:      structs(t, slotBatchNodes),
		buffers:    structs(t, slotBatchBuffers),
	}
}

// structs returns the bytes of a vector of structs.
func structs(t flatbuffers.Table, slot flatbuffers.VOffsetT) []byte {
	o := flatbuffers.UOffsetT(t.Offset(slot))
	if o == 0 {
		return nil
	}
	start := uint64(t.Vector(o))
	return t.Bytes[start : start+uint64(t.VectorLen(o))*structBytes]
}

// pair reads the first struct of b and returns what follows it.
func pair(b []byte) (first, second int64, rest []byte) {
	return int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:])), b[structBytes:]
}
