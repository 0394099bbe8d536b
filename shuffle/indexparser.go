package shuffle

import (
	"encoding/binary"

	"fletch/engine/batch/frame"
	"fletch/shuffle/extent"
)

// indexParser reads an index from its front. Once something does not fit it is broken and yields zeroes.
type indexParser struct {
	rest   []byte
	limit  int64 // where extents end at the latest
	broken bool
}

func (p *indexParser) uvarint() uint64 {
	v, n := binary.Uvarint(p.rest)
	if n <= 0 || v > 1<<62 {
		p.fail()
		return 0
	}
	p.rest = p.rest[n:]
	return v
}

// count reads a number of things that each take so many bytes at least.
func (p *indexParser) count(bytes int) int {
	n := p.uvarint()
	if n > uint64(len(p.rest)/bytes) {
		p.fail()
		return 0
	}
	return int(n)
}

func (p *indexParser) string() string {
	n := p.count(1)
	s := string(p.rest[:n])
	p.rest = p.rest[n:]
	return s
}

// exchange reads the partitions of an exchange, all of them, and keeps their bytes.
func (p *indexParser) exchange() exchangeIndex {
	e := exchangeIndex{exchange: int(p.uvarint()), partitions: p.count(1), bytes: p.rest}
	e.marks = make([]uint32, 0, (e.partitions+markEvery-1)/markEvery)
	for i := range e.partitions {
		if i%markEvery == 0 {
			e.marks = append(e.marks, uint32(len(e.bytes)-len(p.rest)))
		}
		p.skipPartition()
	}
	e.bytes = e.bytes[:len(e.bytes)-len(p.rest)]
	return e
}

func (p *indexParser) partition() []extent.Extent {
	n := p.count(4)
	if n == 0 {
		return nil
	}
	extents := make([]extent.Extent, n)
	for i := range extents {
		offset := int64(p.uvarint())
		extents[i] = p.shape()
		extents[i].Offset = offset
	}
	return extents
}

// skipPartition reads a partition and keeps nothing of it but whether it lies within the file.
func (p *indexParser) skipPartition() {
	for range p.count(4) {
		offset := int64(p.uvarint())
		p.uvarint()
		length := int64(frame.EndBytes)
		n := p.count(1)
		for range n {
			length += int64(p.frame())
		}
		if n == 0 || offset > p.limit-length {
			p.fail()
		}
	}
}

// shape reads an extent without its offset.
func (p *indexParser) shape() extent.Extent {
	e := extent.Extent{Rows: int64(p.uvarint()), Frames: make([]uint32, p.count(1))}
	for i := range e.Frames {
		e.Frames[i] = p.frame()
	}
	if len(e.Frames) == 0 {
		p.fail()
	}
	return e
}

// frame reads the length of a frame.
func (p *indexParser) frame() uint32 {
	n := p.uvarint()
	if n < frame.HeaderBytes || n > frame.MaxBytes || n%8 != 0 {
		p.fail()
	}
	return uint32(n)
}

func (p *indexParser) fail() {
	p.rest, p.broken = nil, true
}
