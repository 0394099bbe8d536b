package spill

import (
	"errors"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/shuffle/extent"
)

// pieceBytes is how much of a run is read at once. It is small, as a merge reads many runs at a time.
const pieceBytes = 256 << 10

// errDropped means that a run was given up.
var errDropped = errors.New("spilled run has been dropped")

// Run is a spilled sequence of batches.
type Run struct {
	file      *File
	schema    *arrow.Schema
	extents   []extent.Extent
	rows      int64
	bytes     int64
	readBytes int64
	dropped   bool
}

func newRun(w *Writer) *Run {
	r := &Run{file: w.file, schema: w.schema, extents: w.extents, rows: w.rows, bytes: w.bytes}
	pieces := extent.NewCursor(r.extents, pieceBytes)
	for last := 0; !pieces.Done(); {
		next := pieces.Skip()
		r.readBytes = max(r.readBytes, int64(last+next))
		last = next
	}
	return r
}

// Rows returns the number of rows.
func (r *Run) Rows() int64 { return r.rows }

// Bytes returns the size on disk.
func (r *Run) Bytes() int64 { return r.bytes }

// ReadBytes returns the memory that a Reader takes: a piece that is at work and the one that comes next.
func (r *Run) ReadBytes() int64 { return r.readBytes }

// Open reads the batches from the first on. A run may be read several times, also at once.
func (r *Run) Open() (*Reader, error) {
	switch {
	case r.file.closed:
		return nil, errClosed
	case r.dropped:
		return nil, errDropped
	}
	reader := &Reader{run: r, left: extent.NewCursor(r.extents, pieceBytes)}
	reader.send()
	return reader, nil
}

// Drop gives the run's bytes to those that are written from now on. It is not to be read any more.
func (r *Run) Drop() {
	r.dropped = true
	for i := range r.extents {
		r.file.space.give(r.extents[i].Offset, r.extents[i].Length())
	}
	r.extents = nil
}
