package shuffle

import (
	"fmt"

	"fletch/engine/batch/frame"
	"fletch/shuffle/extent"
)

// cut returns the pieces of the chunk and how many bytes they are. It stops at the first unit that is damaged.
func (s *stream) cut() (pieces []piece, used int64, damage error) {
	rest := s.chunk
	for len(rest) > 0 && damage == nil {
		if s.block == nil {
			var n int
			if n, damage = s.open(rest); damage != nil {
				break
			}
			rest = rest[n:]
		}
		at := s.query.Offset + int64(len(s.chunk)-len(rest))
		p := piece{attempt: s.block.header.attempt, partition: s.block.header.partition, rows: s.block.rows, from: s, query: s.query}
		var n int
		if n, damage = s.block.take(rest, at, &p); n > 0 || len(s.block.header.extents) == 0 {
			pieces = append(pieces, p)
		}
		rest = rest[n:]
		if p.last {
			s.close()
		}
	}
	return pieces, int64(len(s.chunk) - len(rest)), damage
}

// open reads the header of the next block at the start of b, and returns its length.
func (s *stream) open(b []byte) (int, error) {
	h, n, err := parseBlockHeader(b)
	if err != nil {
		return 0, err
	}
	if s.left == 0 {
		return 0, &RefusedError{Reason: "it sends more blocks than it was asked for"}
	}
	if h.attempt != s.attempts[s.attempt] || h.exchange != s.query.Exchange || h.partition != s.partition {
		return 0, fmt.Errorf("%w: it is that of attempt %s, exchange %d, partition %d", errHeader, h.attempt, h.exchange, h.partition)
	}
	s.block = &inBlock{header: h}
	for _, e := range h.extents {
		s.block.rows += e.Rows
	}
	return n, nil
}

// close steps behind the block.
func (s *stream) close() {
	s.block = nil
	s.left--
	if s.attempt++; s.attempt == len(s.attempts) {
		s.attempt, s.partition = 0, s.partition+1
	}
}

// inBlock is a block whose header has been read.
type inBlock struct {
	header *blockHeader
	extent int // the next unit is of header.extents[extent],
	frame  int // this frame, or the end mark
	rows   int64
}

// take moves the units of the block at the start of b, which stands at offset, into p and returns their bytes.
func (k *inBlock) take(b []byte, offset int64, p *piece) (used int, damage error) {
	for extents := k.header.extents; k.extent < len(extents); {
		e := &extents[k.extent]
		n := frame.EndBytes
		if k.frame < len(e.Frames) {
			n = int(e.Frames[k.frame])
		}
		unit := b[used:]
		switch {
		case len(unit) == 0:
			return used, nil
		case len(unit) < n:
			return used, fmt.Errorf("%w: a unit of %d bytes where %d are left", errHeader, n, len(unit))
		case k.frame < len(e.Frames):
			p.frames = append(p.frames, extent.Frame{Bytes: unit[:n:n], Offset: offset + int64(used)})
			k.frame++
		default:
			if err := frame.CheckEnd(unit[:n], int64(len(e.Frames)), e.Rows); err != nil {
				return used, err
			}
			k.extent, k.frame = k.extent+1, 0
		}
		used += n
	}
	p.last = true
	return used, nil
}
