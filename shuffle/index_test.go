package shuffle

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/batch/frame"
)

func TestIndexRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := &index{attempt: rapid.StringN(0, 20, -1).Draw(t, "attempt"), exchanges: []exchangeIndex{}}
		offset := int64(0)
		for range rapid.IntRange(0, 3).Draw(t, "exchanges") {
			e := exchangeIndex{exchange: rapid.IntRange(0, 1000).Draw(t, "exchange"), partitions: [][]extent{}}
			for range rapid.IntRange(0, 4).Draw(t, "partitions") {
				var extents []extent
				for range rapid.IntRange(0, 3).Draw(t, "extents") {
					e := extent{offset: offset, rows: rapid.Int64Range(0, 1<<40).Draw(t, "rows")}
					for range rapid.IntRange(1, 3).Draw(t, "frames") {
						e.frames = append(e.frames, uint32(8*rapid.IntRange(frame.HeaderBytes/8, frame.MaxBytes/8).Draw(t, "frame")))
					}
					extents = append(extents, e)
					offset += e.length()
				}
				e.partitions = append(e.partitions, extents)
			}
			x.exchanges = append(x.exchanges, e)
		}
		b := x.appendTo(nil, offset)
		f, err := parseFooter(b[len(b)-footerBytes:], offset+int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseIndex(b[:f.length], f)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, x) {
			t.Fatalf("parsed %+v, written was %+v", got, x)
		}
	})
}

// FuzzIndex parses damaged indexes whose checksum agrees. What comes out lies within the file, for memory in proportion.
func FuzzIndex(f *testing.F) {
	x := index{attempt: "a", exchanges: []exchangeIndex{{exchange: 1, partitions: [][]extent{
		nil, {{offset: 0, rows: 3, frames: []uint32{64, 128}}, {offset: 400, rows: 1, frames: []uint32{64}}},
	}}}}
	f.Add(x.appendTo(nil, 1000))
	f.Add([]byte{})
	const size = 1000
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parseFooter(b, int64(len(b))); err != nil && !errors.Is(err, errIndex) {
			t.Fatal(err)
		}
		foot := footer{offset: size, length: int64(len(b)), crc: checksum(b)}
		x, err := parseIndex(b, foot)
		if err != nil {
			if !errors.Is(err, errIndex) {
				t.Fatal(err)
			}
			return
		}
		for _, e := range x.exchanges {
			for _, extents := range e.partitions {
				for _, e := range extents {
					if e.offset < 0 || e.length() > size || e.offset+e.length() > size || len(e.frames) == 0 {
						t.Fatalf("extent %+v in a file of %d bytes", e, size)
					}
				}
			}
		}
	})
}
