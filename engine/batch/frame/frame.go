// Package frame puts a checksum, a capped length and an explicit end around Arrow IPC messages, which have none of
// these. A frame is one record batch; a stream is frames and an end mark. Every byte is verified before Arrow's
// metadata is looked at, since a flipped bit there asks for gigabytes or reads back as other data.
//
// An Encoder appends the frames of one schema to a buffer. Decode reads one frame whose length is known, a Reader reads
// a stream. The schema is no part of a frame: both sides know it, so that each frame can be decoded by itself.
//
// Decoding copies nothing: the columns of a record are views of the frame's own bytes. Whoever decodes must therefore
// leave those bytes alone for ever, as strings handed to user code point into them. Layout: docs/format/frame.md.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

const (
	// HeaderBytes is the length of a frame's header.
	HeaderBytes = 24
	// EndBytes is the length of an end mark.
	EndBytes = HeaderBytes + 16
	// MaxBytes caps the length of a frame: a longer one is neither written nor, whatever its header says, allocated.
	MaxBytes = 256 << 20
)

// ErrCorrupt means that bytes are not the frame or the stream that was written: damaged, cut short or followed by
// something else. A cut also matches io.ErrUnexpectedEOF.
var ErrCorrupt = errors.New("corrupt frame")

// ErrTooLarge means that a record does not fit into a frame.
var ErrTooLarge = errors.New("record larger than a frame")

const (
	magic   = 0x52464c46 // "FLFR" in little-endian order
	version = 1

	kindBatch = 1
	kindEnd   = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header is what stands before a frame's payload.
type header struct {
	kind   uint8
	length int // of the payload, in bytes
	rows   int
	crc    uint32 // CRC32C of the payload
}

// put writes the header over the first HeaderBytes of b.
func (h header) put(b []byte) {
	binary.LittleEndian.PutUint32(b[0:], magic)
	b[4] = version
	b[5] = h.kind
	binary.LittleEndian.PutUint16(b[6:], 0) // flags
	binary.LittleEndian.PutUint32(b[8:], uint32(h.length))
	binary.LittleEndian.PutUint32(b[12:], uint32(h.rows))
	binary.LittleEndian.PutUint32(b[16:], h.crc)
	binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], castagnoli))
}

// parseHeader verifies the header at the start of b, which stands at offset of the stream. Nothing of it is believed
// before its own checksum agrees, so a damaged length is never allocated.
func parseHeader(b []byte, offset int64) (header, error) {
	if len(b) < HeaderBytes {
		return header{}, cut(offset, "header")
	}
	if binary.LittleEndian.Uint32(b) != magic {
		return header{}, corrupt(offset, "no frame begins here")
	}
	if crc32.Checksum(b[:20], castagnoli) != binary.LittleEndian.Uint32(b[20:]) {
		return header{}, corrupt(offset, "header checksum")
	}
	h := header{
		kind:   b[5],
		length: int(binary.LittleEndian.Uint32(b[8:])),
		rows:   int(binary.LittleEndian.Uint32(b[12:])),
		crc:    binary.LittleEndian.Uint32(b[16:]),
	}
	switch {
	case b[4] != version:
		return header{}, corrupt(offset, fmt.Sprintf("version %d, known is %d", b[4], version))
	case binary.LittleEndian.Uint16(b[6:]) != 0:
		return header{}, corrupt(offset, "unknown flags")
	case h.length > MaxBytes-HeaderBytes:
		return header{}, corrupt(offset, fmt.Sprintf("length %d is over the cap", h.length))
	case h.kind == kindEnd && (h.length != EndBytes-HeaderBytes || h.rows != 0):
		return header{}, corrupt(offset, "end mark of another shape")
	case h.kind != kindBatch && h.kind != kindEnd:
		return header{}, corrupt(offset, fmt.Sprintf("kind %d", h.kind))
	case h.rows > math.MaxInt32:
		return header{}, corrupt(offset, "row count")
	}
	return h, nil
}

// verify checks the payload against the header.
func (h header) verify(payload []byte, offset int64) error {
	if crc32.Checksum(payload, castagnoli) != h.crc {
		return corrupt(offset, "payload checksum")
	}
	return nil
}

// AppendEnd appends the mark that ends a stream of so many frames with so many rows in all.
func AppendEnd(dst []byte, frames, rows int64) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, HeaderBytes)...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(frames))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(rows))
	payload := dst[start+HeaderBytes:]
	header{kind: kindEnd, length: len(payload), crc: crc32.Checksum(payload, castagnoli)}.put(dst[start:])
	return dst
}

// CheckEnd checks that b is the end mark of so many frames and rows. Offsets in its error count from the start of b.
func CheckEnd(b []byte, frames, rows int64) error {
	h, err := parseHeader(b, 0)
	if err != nil {
		return err
	}
	if h.kind != kindEnd {
		return corrupt(0, "a frame where the end should be")
	}
	if len(b) != EndBytes {
		return corrupt(0, "end mark of another length")
	}
	return h.checkEnd(b[HeaderBytes:], 0, frames, rows)
}

func (h header) checkEnd(payload []byte, offset, frames, rows int64) error {
	if err := h.verify(payload, offset); err != nil {
		return err
	}
	wantFrames := binary.LittleEndian.Uint64(payload)
	wantRows := binary.LittleEndian.Uint64(payload[8:])
	if wantFrames != uint64(frames) || wantRows != uint64(rows) {
		return corrupt(offset, fmt.Sprintf("end after %d frames and %d rows, written were %d and %d", frames, rows, wantFrames, wantRows))
	}
	return nil
}

func corrupt(offset int64, what string) error {
	return fmt.Errorf("%w: at byte %d: %s", ErrCorrupt, offset, what)
}

func cut(offset int64, what string) error {
	return fmt.Errorf("%w: at byte %d: %s cut short: %w", ErrCorrupt, offset, what, io.ErrUnexpectedEOF)
}
