package shuffle

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch/frame"
	"fletch/engine/batch/gather"
	"fletch/shuffle/extent"
)

// maxStepBytes is the size up to which a record is scattered in one go, if the buffers are not smaller still. A larger one is
// cut in halves, and those again, so that no builder grows by more than this between two looks at its size, except by a
// single row that is larger.
const maxStepBytes = 4 << 20

// Port writes rows into the partitions of one exchange.
type Port struct {
	writer     *Writer
	exchange   int
	schema     *arrow.Schema
	frameBytes int64
	source     *gather.Source
	selection  gather.Selection
	encoder    *frame.Encoder
	blocks     []block // by partition
}

// block is what has been written of one partition. Rows go from builder to frames to extents, and stay in that order.
type block struct {
	builder   *gather.Builder // nil before the first row
	capacity  int64           // of builder, as counted in Writer.buffered
	frames    [][]byte        // encoded and not spilled
	frameRows int64           // in frames
	extents   []extent.Extent // spilled
	bytes     int64           // of frames and extents, without end marks
}

// What lists take beside what stands in them, with the room that they have to grow.
const (
	// blockBytes is of a block, with its place in the selection and in the index.
	blockBytes = int64(unsafe.Sizeof(block{})) + 4 + int64(unsafe.Sizeof([]extent.Extent{}))
	// frameListBytes is of a frame in memory.
	frameListBytes = 2 * int64(unsafe.Sizeof([]byte{}))
	// extentListBytes is of a frame in the file, or of an end mark: with its extent, which may be that of one frame.
	extentListBytes = int64(unsafe.Sizeof(extent.Extent{}))
)

// Write scatters the rows of rec, where parts[i] is the partition of row i. It keeps neither.
func (p *Port) Write(rec arrow.Record, parts []uint32) error {
	w := p.writer
	if w.err != nil {
		return w.err
	}
	if int64(len(parts)) != rec.NumRows() {
		return fmt.Errorf("shuffle: %d partitions for %d rows", len(parts), rec.NumRows())
	}
	if err := p.scatter(rec, parts); err != nil {
		w.err = fmt.Errorf("write to exchange %d: %w", p.exchange, err)
		return w.err
	}
	w.metrics.RowsOut += rec.NumRows()
	return nil
}

func (p *Port) scatter(rec arrow.Record, parts []uint32) error {
	if err := p.source.Reset(rec); err != nil {
		return err
	}
	size := p.source.Bytes()
	large := size > min(maxStepBytes, p.writer.bufferBytes)
	switch {
	case !large:
	case len(parts) > 1:
		return p.halves(rec, parts)
	default:
		if err := p.writer.holdRow(size); err != nil {
			return err
		}
		defer p.writer.share.Give(2 * size)
	}
	if err := p.selection.Group(parts, len(p.blocks)); err != nil {
		return err
	}
	for i := range p.blocks {
		if rows := p.selection.Rows(i); len(rows) > 0 {
			if err := p.add(&p.blocks[i], rows, large); err != nil {
				return err
			}
		}
	}
	if p.writer.buffered > p.writer.bufferBytes {
		return p.writer.relieve()
	}
	return nil
}

// halves scatters the two halves of rec, one after the other.
func (p *Port) halves(rec arrow.Record, parts []uint32) error {
	middle := len(parts) / 2
	first, second := rec.NewSlice(0, int64(middle)), rec.NewSlice(int64(middle), int64(len(parts)))
	defer first.Release()
	defer second.Release()
	if err := p.scatter(first, parts[:middle]); err != nil {
		return err
	}
	return p.scatter(second, parts[middle:])
}

// add appends rows of the source to a partition and encodes it once it is full. A large row has a frame of its own.
func (p *Port) add(b *block, rows []uint32, large bool) error {
	w := p.writer
	if b.builder == nil {
		var err error
		if b.builder, err = gather.NewBuilder(p.schema); err != nil {
			return err
		}
	}
	if large {
		if err := w.encode(p, b); err != nil {
			return err
		}
	}
	b.builder.Append(p.source, rows)
	capacity := b.builder.Capacity()
	w.buffered += capacity - b.capacity
	b.capacity = capacity
	if b.builder.Bytes() < p.frameBytes {
		return nil
	}
	if err := w.encode(p, b); err != nil {
		return err
	}
	if b.capacity > 4*p.frameBytes {
		w.free(b)
	}
	return nil
}

// sizes returns the encoded bytes of each partition.
func (p *Port) sizes() []int64 {
	sizes := make([]int64, len(p.blocks))
	for i := range p.blocks {
		sizes[i] = p.blocks[i].bytes
	}
	return sizes
}
