package shuffle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"fletch/shuffle/extent"
)

// errHeader means that a block's header is not what was sent.
var errHeader = errors.New("damaged block header")

const (
	headerMagic = 0x4b424c46 // "FLBK" in little-endian order
	headerBytes = 16         // before the body
	maxBody     = 64 << 20
)

// blockHeader goes before a block on its way to another machine: whose it is, and where it is to be cut.
type blockHeader struct {
	attempt   string
	exchange  int
	partition int
	extents   []extent.Extent // their offsets are not sent
}

// appendTo appends the header. Its length is a multiple of 8, so that frames behind it stay aligned.
func (h *blockHeader) appendTo(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, headerBytes)...)
	dst = appendString(dst, h.attempt)
	dst = binary.AppendUvarint(dst, uint64(h.exchange))
	dst = binary.AppendUvarint(dst, uint64(h.partition))
	dst = binary.AppendUvarint(dst, uint64(len(h.extents)))
	for _, e := range h.extents {
		dst = appendShape(dst, &e)
	}
	for (len(dst)-start)%8 != 0 {
		dst = append(dst, 0)
	}
	b := dst[start:]
	binary.LittleEndian.PutUint32(b, headerMagic)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-headerBytes))
	binary.LittleEndian.PutUint32(b[8:], checksum(b[headerBytes:]))
	binary.LittleEndian.PutUint32(b[12:], checksum(b[:12]))
	return dst
}

// parseBlockHeader reads the header at the start of b and returns its length.
func parseBlockHeader(b []byte) (*blockHeader, int, error) {
	if len(b) < headerBytes || binary.LittleEndian.Uint32(b) != headerMagic {
		return nil, 0, fmt.Errorf("%w: no block begins here", errHeader)
	}
	if checksum(b[:12]) != binary.LittleEndian.Uint32(b[12:]) {
		return nil, 0, fmt.Errorf("%w: checksum", errHeader)
	}
	n := binary.LittleEndian.Uint32(b[4:])
	if n > maxBody || n%8 != 0 || int(n) > len(b)-headerBytes {
		return nil, 0, fmt.Errorf("%w: a body of %d bytes where %d are left", errHeader, n, len(b)-headerBytes)
	}
	body := b[headerBytes : headerBytes+n]
	if checksum(body) != binary.LittleEndian.Uint32(b[8:]) {
		return nil, 0, fmt.Errorf("%w: checksum of the body", errHeader)
	}
	p := indexParser{rest: body, limit: math.MaxInt64}
	h := &blockHeader{attempt: p.string(), exchange: int(p.uvarint()), partition: int(p.uvarint())}
	if n := p.count(3); n > 0 {
		h.extents = make([]extent.Extent, n)
	}
	for i := range h.extents {
		h.extents[i] = p.shape()
	}
	for _, pad := range p.rest {
		p.broken = p.broken || pad != 0
	}
	if p.broken || len(p.rest) >= 8 {
		return nil, 0, fmt.Errorf("%w: it does not parse", errHeader)
	}
	return h, int(headerBytes + n), nil
}
