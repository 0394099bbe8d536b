package shuffle

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/batch/frame"
	"fletch/shuffle/extent"
)

func TestBlockHeaderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &blockHeader{
			attempt:   rapid.StringN(0, 20, -1).Draw(t, "attempt"),
			exchange:  rapid.IntRange(0, 1000).Draw(t, "exchange"),
			partition: rapid.IntRange(0, 1<<31-1).Draw(t, "partition"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "extents") {
			e := extent.Extent{Rows: rapid.Int64Range(0, 1<<40).Draw(t, "rows")}
			for range rapid.IntRange(1, 3).Draw(t, "frames") {
				e.Frames = append(e.Frames, uint32(8*rapid.IntRange(frame.HeaderBytes/8, frame.MaxBytes/8).Draw(t, "frame")))
			}
			h.extents = append(h.extents, e)
		}
		b := h.appendTo([]byte("before"))[len("before"):]
		got, n, err := parseBlockHeader(append(b, "behind"...))
		if err != nil || n != len(b) || n%8 != 0 || !reflect.DeepEqual(got, h) {
			t.Fatalf("parsed %+v of %d bytes, error %v; written was %+v of %d", got, n, err, h, len(b))
		}
		for _, cut := range []int{0, headerBytes - 1, len(b) - 1} {
			if _, _, err := parseBlockHeader(b[:cut]); !errors.Is(err, errHeader) {
				t.Fatalf("cut at %d of %d: %v", cut, len(b), err)
			}
		}
	})
}

// FuzzCut cuts chunks that are anything, in two parts: what comes out are parts of the chunk, in their order, and what is
// taken as a header is one whose checksums agree.
func FuzzCut(f *testing.F) {
	h := blockHeader{attempt: "a", exchange: 1, extents: []extent.Extent{{Rows: 5, Frames: []uint32{64, 24}}, {Rows: 1, Frames: []uint32{24}}}}
	block := h.appendTo(nil)
	block = frame.AppendEnd(append(block, make([]byte, 88)...), 2, 5)
	block = frame.AppendEnd(append(block, make([]byte, 24)...), 1, 1)
	empty := blockHeader{attempt: "b", exchange: 1}
	f.Add(empty.appendTo(block), uint16(100))
	f.Add(block, uint16(0))
	f.Add([]byte("FLBK"), uint16(2))
	f.Fuzz(func(t *testing.T, b []byte, at uint16) {
		s := newStream(nil, "there:1", 1, 0, 1)
		s.attempts = []string{"a", "b"}
		s.ask()
		middle := min(int(at), len(b))
		for _, chunk := range [][]byte{b[:middle], b[middle:]} {
			s.chunk = chunk
			start := s.query.Offset
			pieces, used, damage := s.cut()
			if used < 0 || used > int64(len(chunk)) || damage == nil && used != int64(len(chunk)) {
				t.Fatalf("%d of %d bytes were used, damage %v", used, len(chunk), damage)
			}
			for _, p := range pieces {
				if p.attempt != "a" && p.attempt != "b" || p.partition != 0 {
					t.Fatalf("a piece of attempt %q, partition %d", p.attempt, p.partition)
				}
				for _, l := range p.frames {
					if l.Offset < start || l.Offset+int64(len(l.Bytes)) > start+used || len(l.Bytes) < frame.HeaderBytes {
						t.Fatalf("a frame at %d of %d bytes; the chunk begins at %d and has %d", l.Offset, len(l.Bytes), start, used)
					}
				}
			}
			if s.query.Offset += used; damage != nil {
				return
			}
		}
		if s.left < 0 || s.left > 2 {
			t.Fatalf("%d blocks are left of 2", s.left)
		}
	})
}

// A stretch ends with the first unit that reaches its limit.
func TestBoundary(t *testing.T) {
	for _, extents := range [][]extent.Extent{
		nil,
		{{Frames: []uint32{64, 24}}},
		{{Frames: []uint32{24}}, {Frames: []uint32{32, 40, 24}}},
	} {
		h := blockHeader{attempt: "a", extents: extents}
		b := &Block{Header: h.appendTo(nil), extents: extents}
		ends := []int64{int64(len(b.Header))} // of units
		for _, e := range extents {
			for _, f := range e.Frames {
				ends = append(ends, ends[len(ends)-1]+int64(f))
			}
			ends[len(ends)-1] += frame.EndBytes
		}
		for n := int64(0); n <= ends[len(ends)-1]; n++ {
			i, _ := slices.BinarySearch(ends, n)
			if got := b.Boundary(n); got != ends[i] {
				t.Errorf("the first unit of %v that reaches %d ends at %d, want %d", ends, n, got, ends[i])
			}
		}
	}
}
