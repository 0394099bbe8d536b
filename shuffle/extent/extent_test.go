package extent

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/batch/frame"
)

// TestCursor reads extents that stand anywhere in a file: every frame once, in order, in pieces no larger than was asked for
// unless a single frame is.
func TestCursor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var file []byte
		var all [][]byte
		var extents []Extent
		for range rapid.IntRange(0, 5).Draw(t, "extents") {
			file = append(file, make([]byte, 8*rapid.IntRange(0, 3).Draw(t, "gap"))...)
			var frames [][]byte
			for range rapid.IntRange(1, 5).Draw(t, "frames") {
				frames = append(frames, bytes.Repeat([]byte{byte(1 + len(all) + len(frames))}, 8*rapid.IntRange(3, 100).Draw(t, "words")))
			}
			e := New(int64(len(file)), frames, int64(len(frames)))
			file = append(append(file, bytes.Join(frames, nil)...), frame.AppendEnd(nil, int64(len(frames)), int64(len(frames)))...)
			if e.Offset+e.Length() != int64(len(file)) {
				t.Fatalf("an extent at %d of %d bytes ends at %d", e.Offset, e.Length(), len(file))
			}
			extents, all = append(extents, e), append(all, frames...)
		}
		size := rapid.IntRange(1, 2000).Draw(t, "piece")
		c, skips := NewCursor(extents, size), NewCursor(extents, size)
		for read := 0; !c.Done(); {
			frames, err := c.Read(bytes.NewReader(file))
			if err != nil || len(frames) == 0 {
				t.Fatalf("%d frames, %v", len(frames), err)
			}
			total := 0
			for _, f := range frames {
				if !bytes.Equal(f.Bytes, all[read]) || !bytes.Equal(file[f.Offset:f.Offset+int64(len(f.Bytes))], f.Bytes) {
					t.Fatalf("frame %d differs, or does not stand at %d", read, f.Offset)
				}
				total += len(f.Bytes)
				read++
			}
			marks := skips.Skip() - total
			if len(frames) > 1 && total > size || marks%frame.EndBytes != 0 || marks > len(extents)*frame.EndBytes {
				t.Fatalf("a piece has %d bytes in %d frames, and %d of end marks; wanted were %d", total, len(frames), marks, size)
			}
			if c.Done() != skips.Done() || c.Done() != (read == len(all)) {
				t.Fatalf("done: %v, %v, with %d of %d frames", c.Done(), skips.Done(), read, len(all))
			}
		}
	})
}

// TestDamage finds an end mark that is of other frames, and a file that ends too early.
func TestDamage(t *testing.T) {
	frames := [][]byte{make([]byte, 64), make([]byte, 24)}
	whole := frame.AppendEnd(bytes.Join(frames, nil), 2, 7)
	e := New(0, frames, 7)
	read := func(e Extent, file []byte) error {
		c := NewCursor([]Extent{e}, 1<<20)
		_, err := c.Read(bytes.NewReader(file))
		return err
	}
	if err := read(e, whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := read(e, whole[:n]); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	e.Rows++
	if err := read(e, whole); !errors.Is(err, frame.ErrCorrupt) {
		t.Errorf("an end mark of other rows: %v", err)
	}
}
