package shuffle

import (
	"fmt"
	"io"

	"fletch/engine/batch/frame"
)

// pieceBytes is how much of a block is read at once: whole frames, up to the first that reaches it.
const pieceBytes = 1 << 20

// fileBlock is what is left to read of a block in a file. The file is open only while a piece is read, so that a Reader
// may be left alone at any moment.
type fileBlock struct {
	file      *File
	partition int
	rows      int64    // of the whole block
	extents   []extent // the first of them is under way
	frame     int      // the next frame of extents[0]
	offset    int64    // of that frame
}

func newFileBlock(file *File, partition int, extents []extent) *fileBlock {
	b := &fileBlock{file: file, partition: partition, extents: extents, offset: extents[0].offset}
	for _, e := range extents {
		b.rows += e.rows
	}
	return b
}

// run is a part of one extent that is read in one go.
type run struct {
	offset int64
	frames []uint32
	length int
	end    *extent // set where the run includes the extent's end mark
}

// take cuts the next runs off the block.
func (b *fileBlock) take() (runs []run, length int) {
	for len(b.extents) > 0 && length < pieceBytes {
		e := &b.extents[0]
		r := run{offset: b.offset}
		first := b.frame
		for b.frame < len(e.frames) && length+r.length < pieceBytes {
			r.length += int(e.frames[b.frame])
			b.frame++
		}
		r.frames = e.frames[first:b.frame]
		b.offset += int64(r.length)
		if b.frame == len(e.frames) {
			r.end = e
			r.length += frame.EndBytes
			b.extents, b.frame = b.extents[1:], 0
			if len(b.extents) > 0 {
				b.offset = b.extents[0].offset
			}
		}
		runs = append(runs, r)
		length += r.length
	}
	return runs, length
}

// read reads the next piece into fresh memory and checks the end marks in it.
func (b *fileBlock) read() ([]located, error) {
	f, err := b.file.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	runs, length := b.take()
	buffer := make([]byte, length)
	var frames []located
	for _, r := range runs {
		if err := readFull(f, buffer[:r.length], r.offset); err != nil {
			return nil, fmt.Errorf("%s: %w", b.file.name, err)
		}
		offset := r.offset
		for _, n := range r.frames {
			frames = append(frames, located{bytes: buffer[:n:n], offset: offset})
			buffer = buffer[n:]
			offset += int64(n)
		}
		if r.end != nil {
			if err := checkEnd(f, r.end, buffer[:frame.EndBytes], offset); err != nil {
				return nil, fmt.Errorf("%s: end mark at byte %d: %w", b.file.name, offset, err)
			}
			buffer = buffer[frame.EndBytes:]
		}
	}
	return frames, nil
}

// checkEnd checks the end mark of e, which was read from offset, and reads it once more before it gives up.
func checkEnd(f io.ReaderAt, e *extent, mark []byte, offset int64) error {
	if frame.CheckEnd(mark, int64(len(e.frames)), e.rows) == nil {
		return nil
	}
	if err := readFull(f, mark, offset); err != nil {
		return err
	}
	return frame.CheckEnd(mark, int64(len(e.frames)), e.rows)
}
