package extent

import (
	"errors"
	"fmt"
	"io"

	"fletch/engine/batch/frame"
)

// Cursor is what is left to read of a list of extents.
type Cursor struct {
	extents    []Extent // the first of them is under way
	frame      int      // the next frame of extents[0]
	offset     int64    // of that frame
	pieceBytes int
}

// NewCursor returns a Cursor at the start of extents, which are not changed while it is in use. It reads up to
// pieceBytes at once, and more only where a single frame is larger.
func NewCursor(extents []Extent, pieceBytes int) Cursor {
	c := Cursor{extents: extents, pieceBytes: pieceBytes}
	if len(extents) > 0 {
		c.offset = extents[0].Offset
	}
	return c
}

// Done reports whether nothing is left.
func (c *Cursor) Done() bool { return len(c.extents) == 0 }

// Frame is a frame that was read and is not verified yet.
type Frame struct {
	Bytes  []byte
	Offset int64 // where it stands
}

// section is a part of one extent that is read in one go.
type section struct {
	offset int64
	frames []uint32
	length int
	end    *Extent // set where it includes the extent's end mark
}

// take cuts the sections of the next piece off.
func (c *Cursor) take() (sections []section, length int) {
	for len(c.extents) > 0 {
		e := &c.extents[0]
		s := section{offset: c.offset}
		first := c.frame
		for c.frame < len(e.Frames) && (length == 0 || length+int(e.Frames[c.frame]) <= c.pieceBytes) {
			length += int(e.Frames[c.frame])
			s.length += int(e.Frames[c.frame])
			c.frame++
		}
		if c.frame == first {
			break
		}
		s.frames = e.Frames[first:c.frame]
		c.offset += int64(s.length)
		if c.frame == len(e.Frames) {
			s.end = e
			s.length += frame.EndBytes
			length += frame.EndBytes
			c.extents, c.frame = c.extents[1:], 0
			if len(c.extents) > 0 {
				c.offset = c.extents[0].Offset
			}
		}
		sections = append(sections, s)
	}
	return sections, length
}

// Skip steps over the next piece and returns its bytes.
func (c *Cursor) Skip() int {
	_, length := c.take()
	return length
}

// Read reads the next piece into fresh memory: whole frames, with the end marks among them checked.
func (c *Cursor) Read(f io.ReaderAt) ([]Frame, error) {
	sections, length := c.take()
	buffer := make([]byte, length)
	var frames []Frame
	for _, s := range sections {
		if err := ReadFull(f, buffer[:s.length], s.offset); err != nil {
			return nil, err
		}
		offset := s.offset
		for _, n := range s.frames {
			frames = append(frames, Frame{Bytes: buffer[:n:n], Offset: offset})
			buffer = buffer[n:]
			offset += int64(n)
		}
		if s.end != nil {
			if err := checkEnd(f, s.end, buffer[:frame.EndBytes], offset); err != nil {
				return nil, fmt.Errorf("end mark at byte %d: %w", offset, err)
			}
			buffer = buffer[frame.EndBytes:]
		}
	}
	return frames, nil
}

// checkEnd checks the end mark of e, which was read from offset, and reads it once more before it gives up.
func checkEnd(f io.ReaderAt, e *Extent, mark []byte, offset int64) error {
	if frame.CheckEnd(mark, int64(len(e.Frames)), e.Rows) == nil {
		return nil
	}
	if err := ReadFull(f, mark, offset); err != nil {
		return err
	}
	return frame.CheckEnd(mark, int64(len(e.Frames)), e.Rows)
}

// ReadFull fills b from offset on; a file that ends before is io.ErrUnexpectedEOF.
func ReadFull(f io.ReaderAt, b []byte, offset int64) error {
	n, err := f.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read %d bytes at %d, got %d: %w", len(b), offset, n, err)
}
