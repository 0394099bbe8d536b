package shuffle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"fletch/engine/batch/frame"
)

// errIndex means that a file's index or footer is not what was written.
var errIndex = errors.New("damaged shuffle index")

const (
	footerMagic   = 0x494c5346 // "FSLI" in little-endian order
	footerVersion = 1
	footerBytes   = 32
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// extent is a partition's part of one segment: a stream of frames with its end mark.
type extent struct {
	offset int64
	rows   int64
	frames []uint32 // the length of each in bytes
}

func newExtent(offset int64, frames [][]byte, rows int64) extent {
	e := extent{offset: offset, rows: rows, frames: make([]uint32, len(frames))}
	for i, f := range frames {
		e.frames[i] = uint32(len(f))
	}
	return e
}

// length returns the extent's bytes, its end mark included.
func (e extent) length() int64 {
	n := int64(frame.EndBytes)
	for _, f := range e.frames {
		n += int64(f)
	}
	return n
}

// index says where in a file each block stands. It has the attempt's name, so that a file under a wrong name is found.
type index struct {
	attempt   string
	exchanges []exchangeIndex
}

type exchangeIndex struct {
	exchange   int
	partitions [][]extent
}

// partition returns the extents of a block.
func (x *index) partition(exchange, partition int) ([]extent, error) {
	for _, e := range x.exchanges {
		if e.exchange == exchange && partition < len(e.partitions) {
			return e.partitions[partition], nil
		}
	}
	return nil, errNoBlock
}

// appendTo appends the index, which will stand at offset of the file, and the footer.
func (x *index) appendTo(dst []byte, offset int64) []byte {
	start := len(dst)
	dst = binary.AppendUvarint(dst, uint64(len(x.attempt)))
	dst = append(dst, x.attempt...)
	dst = binary.AppendUvarint(dst, uint64(len(x.exchanges)))
	for _, e := range x.exchanges {
		dst = binary.AppendUvarint(dst, uint64(e.exchange))
		dst = binary.AppendUvarint(dst, uint64(len(e.partitions)))
		for _, extents := range e.partitions {
			dst = binary.AppendUvarint(dst, uint64(len(extents)))
			for _, extent := range extents {
				dst = extent.appendTo(dst)
			}
		}
	}
	return footer{offset: offset, length: int64(len(dst) - start), crc: checksum(dst[start:])}.appendTo(dst)
}

func (e extent) appendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(e.offset))
	dst = binary.AppendUvarint(dst, uint64(e.rows))
	dst = binary.AppendUvarint(dst, uint64(len(e.frames)))
	for _, n := range e.frames {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

// footer is the last thing in a file: it says where the index is.
type footer struct {
	offset int64 // of the index
	length int64 // of the index
	crc    uint32
}

func (f footer) appendTo(dst []byte) []byte {
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, footerMagic)
	dst = binary.LittleEndian.AppendUint32(dst, footerVersion)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.offset))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(f.length))
	dst = binary.LittleEndian.AppendUint32(dst, f.crc)
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:]))
}

// parseFooter reads the footer of a file of the given size from its last bytes.
func parseFooter(b []byte, size int64) (footer, error) {
	if len(b) != footerBytes || binary.LittleEndian.Uint32(b) != footerMagic {
		return footer{}, fmt.Errorf("%w: no footer", errIndex)
	}
	if checksum(b[:28]) != binary.LittleEndian.Uint32(b[28:]) {
		return footer{}, fmt.Errorf("%w: footer checksum", errIndex)
	}
	if v := binary.LittleEndian.Uint32(b[4:]); v != footerVersion {
		return footer{}, fmt.Errorf("%w: version %d, known is %d", errIndex, v, footerVersion)
	}
	f := footer{
		offset: int64(binary.LittleEndian.Uint64(b[8:])),
		length: int64(binary.LittleEndian.Uint64(b[16:])),
		crc:    binary.LittleEndian.Uint32(b[24:]),
	}
	if f.offset < 0 || f.length < 0 || f.offset > size-footerBytes || f.length != size-footerBytes-f.offset {
		return footer{}, fmt.Errorf("%w: footer of another file", errIndex)
	}
	return f, nil
}

// parseIndex verifies and reads an index. Every extent that it returns lies within the file.
func parseIndex(b []byte, f footer) (*index, error) {
	if checksum(b) != f.crc {
		return nil, fmt.Errorf("%w: index checksum", errIndex)
	}
	p := indexParser{rest: b, limit: f.offset}
	x := &index{attempt: string(p.bytes(p.count(1)))}
	x.exchanges = make([]exchangeIndex, p.count(2))
	for i := range x.exchanges {
		e := &x.exchanges[i]
		e.exchange = int(p.uvarint())
		e.partitions = make([][]extent, p.count(1))
		for j := range e.partitions {
			if n := p.count(4); n > 0 {
				e.partitions[j] = make([]extent, n)
			}
			for k := range e.partitions[j] {
				e.partitions[j][k] = p.extent()
			}
		}
	}
	if p.broken || len(p.rest) != 0 {
		return nil, fmt.Errorf("%w: index does not parse", errIndex)
	}
	return x, nil
}

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

func (p *indexParser) bytes(n int) []byte {
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *indexParser) extent() extent {
	e := extent{offset: int64(p.uvarint()), rows: int64(p.uvarint()), frames: make([]uint32, p.count(1))}
	for i := range e.frames {
		n := p.uvarint()
		if n < frame.HeaderBytes || n > frame.MaxBytes || n%8 != 0 {
			p.fail()
		}
		e.frames[i] = uint32(n)
	}
	if len(e.frames) == 0 || e.offset > p.limit-e.length() {
		p.fail()
	}
	return e
}

func (p *indexParser) fail() {
	p.rest, p.broken = nil, true
}
