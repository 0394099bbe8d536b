package shuffle

import (
	"context"
	"fmt"

	"fletch/engine/batch/frame"
	"fletch/shuffle/extent"
)

// Block is a block of a File as another machine gets it: a header that describes it, then its extents as they stand in
// the file. The header and each frame are units, an end mark is one with the frame before it: only whole ones make sense
// to who receives them.
type Block struct {
	Header  []byte
	file    *File
	extents []extent.Extent
	length  int64
}

// Section is a stretch of a file.
type Section struct{ Offset, Length int64 }

// Block returns a block of the output. It may have to read the file's index.
func (f *File) Block(exchange, partition int) (*Block, error) {
	if damage := f.damage.Load(); damage != nil {
		return nil, *damage
	}
	index, err := f.loadIndex()
	if err != nil {
		return nil, err
	}
	extents, err := index.partition(exchange, partition)
	if err != nil {
		return nil, err
	}
	h := blockHeader{attempt: f.attempt, exchange: exchange, partition: partition, extents: extents}
	b := &Block{Header: h.appendTo(nil), file: f, extents: extents}
	b.length = int64(len(b.Header))
	for _, e := range extents {
		b.length += e.Length()
	}
	return b, nil
}

// File returns what the block is a part of.
func (b *Block) File() *File { return b.file }

// Length returns the bytes of the header and all extents.
func (b *Block) Length() int64 { return b.length }

// Boundary returns where the first unit that reaches n ends; n is at most Length.
func (b *Block) Boundary(n int64) int64 {
	end := int64(len(b.Header))
	for _, e := range b.extents {
		if end+e.Length() < n {
			end += e.Length()
			continue
		}
		for _, f := range e.Frames {
			if end >= n {
				return end
			}
			end += int64(f)
		}
		return end + frame.EndBytes
	}
	return end
}

// Sections returns where in the file the bytes from lo to hi-1 behind the header stand; they count from the header's end.
func (b *Block) Sections(lo, hi int64) []Section {
	var out []Section
	start := int64(0) // of the extent
	for _, e := range b.extents {
		end := start + e.Length()
		if from, to := max(lo, start), min(hi, end); from < to {
			out = append(out, Section{Offset: e.Offset + from - start, Length: to - from})
		}
		start = end
	}
	return out
}

// Verify reads the block and checks every frame and end mark. The context ends it early. A File that it finds damaged
// stays so: it has no more blocks.
func (b *Block) Verify(ctx context.Context) error {
	err := b.verify(ctx)
	if err != nil && ctx.Err() == nil && !Exhausted(err) {
		b.file.damage.Store(&err)
	}
	return err
}

func (b *Block) verify(ctx context.Context) error {
	if len(b.extents) == 0 {
		return nil
	}
	rest := newFileBlock(b.file, 0, b.extents)
	for !rest.left.Done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		frames, err := rest.read()
		if err != nil {
			return err
		}
		for _, f := range frames {
			if err := frame.Verify(f.Bytes); err != nil {
				return fmt.Errorf("%s: frame at byte %d: %w", b.file.name, f.Offset, err)
			}
		}
	}
	return nil
}
