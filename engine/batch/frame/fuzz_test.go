package frame_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"fletch/engine/batch/frame"
)

// FuzzReader reads damaged streams, as they are and with mended checksums. Whatever comes out has to be an ErrCorrupt or
// records that can be read at every row, for no more memory than the input has. Run it with -fuzzminimizetime=10x: a stream
// of this schema is kilobytes long, which Go otherwise spends most of the time on making shorter.
func FuzzReader(f *testing.F) {
	rec := record(f, 3)
	f.Add(stream(f, rec, rec.NewSlice(1, 2)))
	f.Add(stream(f, rec.NewSlice(0, 0)))
	f.Add(stream(f))
	f.Add(frame.BatchHeader(frame.MaxBytes-frame.HeaderBytes, 1, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		check(t, b)
		mended := bytes.Clone(b)
		frame.Mend(mended)
		check(t, mended)
	})
}

func check(t *testing.T, b []byte) {
	var recs []arrow.Record
	var err error
	allocated := allocatedBytes(func() { recs, err = readAll(bytes.NewReader(b), everything) })
	if err != nil && !errors.Is(err, frame.ErrCorrupt) {
		t.Fatalf("error is %v, want ErrCorrupt", err)
	}
	// A record's arrays cost some kilobytes whatever they hold; the first step of a long frame may be a megabyte.
	if limit := uint64(4<<20 + 200*len(b)); allocated > limit {
		t.Fatalf("%d bytes were allocated for an input of %d", allocated, len(b))
	}
	for _, rec := range recs {
		if !array.RecordEqual(rec, rec) && !hasNaN(rec) {
			t.Fatalf("a record is not equal to itself: %v", rec)
		}
	}
}

// hasNaN says whether the float column, the only one, has values that are not equal to themselves.
func hasNaN(rec arrow.Record) bool {
	for _, v := range rec.Column(3).(*array.Float32).Float32Values() {
		if v != v {
			return true
		}
	}
	return false
}

// Damage behind a checksum that agrees, byte by byte: as in FuzzReader, but each of them every time.
func TestDamageBehindGoodChecksums(t *testing.T) {
	b := stream(t, record(t, 3))
	for i := range b {
		for _, damage := range []byte{0x01, 0x80, 0xff} {
			damaged := bytes.Clone(b)
			damaged[i] ^= damage
			frame.Mend(damaged)
			check(t, damaged)
		}
	}
}
