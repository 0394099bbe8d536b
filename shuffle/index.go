package shuffle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"fletch/shuffle/extent"
)

// errIndex means that a file's index or footer is not what was written.
var errIndex = errors.New("damaged shuffle index")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// layout is what a Writer knows of its blocks: the index before it is bytes.
type layout struct {
	attempt   string
	exchanges []exchangeLayout
}

type exchangeLayout struct {
	exchange   int
	partitions [][]extent.Extent
}

// encode returns the index, which will stand at offset of the file, and the footer.
func (l *layout) encode(offset int64) []byte {
	dst := appendString(nil, l.attempt)
	dst = binary.AppendUvarint(dst, uint64(len(l.exchanges)))
	for _, e := range l.exchanges {
		dst = binary.AppendUvarint(dst, uint64(e.exchange))
		dst = binary.AppendUvarint(dst, uint64(len(e.partitions)))
		for _, extents := range e.partitions {
			dst = binary.AppendUvarint(dst, uint64(len(extents)))
			for _, e := range extents {
				dst = binary.AppendUvarint(dst, uint64(e.Offset))
				dst = appendShape(dst, &e)
			}
		}
	}
	return footer{offset: offset, length: int64(len(dst)), crc: checksum(dst)}.appendTo(dst)
}

// appendShape appends all of an extent but the offset.
func appendShape(dst []byte, e *extent.Extent) []byte {
	dst = binary.AppendUvarint(dst, uint64(e.Rows))
	dst = binary.AppendUvarint(dst, uint64(len(e.Frames)))
	for _, n := range e.Frames {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// index says where in a file each block stands. It has the attempt's name, so that a file under a wrong name is found.
// It keeps the bytes of the file, about ten a block: parsed, a block would take ten times that, and a worker holds the
// indexes of all outputs that it serves.
type index struct {
	attempt   string
	exchanges []exchangeIndex
}

type exchangeIndex struct {
	exchange   int
	partitions int
	bytes      []byte
	marks      []uint32 // where in bytes every markEvery-th partition begins
}

// markEvery is how many partitions at the most are parsed to find one.
const markEvery = 16

// partition returns the extents of a block.
func (x *index) partition(exchange, partition int) ([]extent.Extent, error) {
	for _, e := range x.exchanges {
		if e.exchange != exchange || partition < 0 || partition >= e.partitions {
			continue
		}
		p := indexParser{rest: e.bytes[e.marks[partition/markEvery]:], limit: math.MaxInt64}
		for range partition % markEvery {
			p.skipPartition()
		}
		return p.partition(), nil
	}
	return nil, errNoBlock
}

// parseIndex verifies and reads an index. Every extent that it returns lies within the file.
func parseIndex(b []byte, f footer) (*index, error) {
	if checksum(b) != f.crc {
		return nil, fmt.Errorf("%w: index checksum", errIndex)
	}
	p := indexParser{rest: b, limit: f.offset}
	x := &index{attempt: p.string()}
	x.exchanges = make([]exchangeIndex, p.count(2))
	for i := range x.exchanges {
		x.exchanges[i] = p.exchange()
	}
	if p.broken || len(p.rest) != 0 {
		return nil, fmt.Errorf("%w: index does not parse", errIndex)
	}
	return x, nil
}
