package shuffle

import (
	"fmt"

	"fletch/shuffle/extent"
)

// pieceBytes is how much of a block is read at once.
const pieceBytes = 1 << 20

// ReadBytes is the memory that a Reader takes for blocks in files: a piece that is at work, and the one that comes next.
const ReadBytes = 2 * pieceBytes

// fileBlock is what is left to read of a block in a file. The file is open only while a piece is read, so that a Reader
// may be left alone at any moment.
type fileBlock struct {
	file      *File
	partition int
	rows      int64 // of the whole block
	left      extent.Cursor
}

func newFileBlock(file *File, partition int, extents []extent.Extent) *fileBlock {
	b := &fileBlock{file: file, partition: partition, left: extent.NewCursor(extents, pieceBytes)}
	for _, e := range extents {
		b.rows += e.Rows
	}
	return b
}

// read reads the next piece.
func (b *fileBlock) read() ([]extent.Frame, error) {
	f, err := b.file.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	frames, err := b.left.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.file.name, err)
	}
	return frames, nil
}
