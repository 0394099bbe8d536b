package shuffle

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"fletch/engine/batch/frame"
	"fletch/shuffle/extent"
)

func TestIndexRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := &layout{attempt: rapid.StringN(0, 20, -1).Draw(t, "attempt")}
		offset := int64(0)
		for i := range rapid.IntRange(0, 3).Draw(t, "exchanges") {
			e := exchangeLayout{exchange: 1000*i + rapid.IntRange(0, 999).Draw(t, "exchange")}
			for range rapid.IntRange(0, 2*markEvery+1).Draw(t, "partitions") {
				var extents []extent.Extent
				for range rapid.IntRange(0, 3).Draw(t, "extents") {
					e := extent.Extent{Offset: offset, Rows: rapid.Int64Range(0, 1<<40).Draw(t, "rows")}
					for range rapid.IntRange(1, 3).Draw(t, "frames") {
						e.Frames = append(e.Frames, uint32(8*rapid.IntRange(frame.HeaderBytes/8, frame.MaxBytes/8).Draw(t, "frame")))
					}
					extents = append(extents, e)
					offset += e.Length()
				}
				e.partitions = append(e.partitions, extents)
			}
			x.exchanges = append(x.exchanges, e)
		}
		b := x.encode(offset)
		f, err := parseFooter(b[len(b)-footerBytes:], offset+int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseIndex(b[:f.length], f)
		if err != nil {
			t.Fatal(err)
		}
		if got.attempt != x.attempt || len(got.exchanges) != len(x.exchanges) {
			t.Fatalf("parsed attempt %q with %d exchanges, written was %+v", got.attempt, len(got.exchanges), x)
		}
		for _, e := range x.exchanges {
			for p, want := range e.partitions {
				if extents, err := got.partition(e.exchange, p); err != nil || !reflect.DeepEqual(extents, want) {
					t.Fatalf("partition %d of exchange %d has extents %+v, error %v; written were %+v", p, e.exchange, extents, err, want)
				}
			}
			for _, p := range []int{-1, len(e.partitions)} {
				if _, err := got.partition(e.exchange, p); !errors.Is(err, errNoBlock) {
					t.Fatalf("partition %d of %d gives error %v", p, len(e.partitions), err)
				}
			}
		}
	})
}

// FuzzIndex parses damaged indexes whose checksum agrees. What comes out lies within the file, for memory in proportion.
func FuzzIndex(f *testing.F) {
	x := layout{attempt: "a", exchanges: []exchangeLayout{{exchange: 1, partitions: [][]extent.Extent{
		nil, {{Offset: 0, Rows: 3, Frames: []uint32{64, 128}}, {Offset: 400, Rows: 1, Frames: []uint32{64}}},
	}}}}
	f.Add(x.encode(1000))
	beyond := layout{exchanges: []exchangeLayout{{partitions: [][]extent.Extent{{{Offset: 960, Rows: 1, Frames: []uint32{64}}}}}}}
	for _, x := range []layout{x, beyond} {
		b := x.encode(1000)
		f.Add(b[:len(b)-footerBytes])
	}
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
			for p := range e.partitions {
				extents, err := x.partition(e.exchange, p)
				if err != nil {
					continue // of an exchange that is there twice, the first counts
				}
				for _, e := range extents {
					if e.Offset < 0 || e.Length() > size || e.Offset+e.Length() > size || len(e.Frames) == 0 {
						t.Fatalf("extent %+v in a file of %d bytes", e, size)
					}
				}
			}
		}
	})
}
