// Package extent is about stretches of a file that hold frames: who wrote them knows where they stand and how long each
// frame is, so that a reader cuts what it reads without believing a header. An extent is a stream of frames with its end
// mark; blocks of shuffle outputs and spilled runs are lists of extents. Layout: docs/format/shuffle.md, spill.md.
package extent

import "fletch/engine/batch/frame"

// Extent is where some frames stand that were written at once.
type Extent struct {
	Offset int64
	Rows   int64
	Frames []uint32 // the length of each in bytes
}

// New returns the extent of frames that are to be written at offset.
func New(offset int64, frames [][]byte, rows int64) Extent {
	e := Extent{Offset: offset, Rows: rows, Frames: make([]uint32, len(frames))}
	for i, f := range frames {
		e.Frames[i] = uint32(len(f))
	}
	return e
}

// Length returns the extent's bytes, its end mark included.
func (e *Extent) Length() int64 {
	n := int64(frame.EndBytes)
	for _, f := range e.Frames {
		n += int64(f)
	}
	return n
}
