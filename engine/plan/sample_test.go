package plan

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestSampledIsAPartOfTheSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Split
		var plain int64
		for i := range rapid.IntRange(0, 20).Draw(t, "files") {
			f := FileRange{
				Path: fmt.Sprint(i), Offset: rapid.Int64Range(0, 10).Draw(t, "offset"),
				Length: rapid.OneOf(rapid.Int64Range(0, 100<<10), rapid.Int64Range(0, 10<<20)).Draw(t, "length"),
				Whole:  rapid.IntRange(0, 3).Draw(t, "whole") == 0,
			}
			f.Size = f.Offset + f.Length
			s.Files = append(s.Files, f)
			if f.Whole {
				s.Bytes += 4 * f.Length
			} else {
				s.Bytes += f.Length
				plain += f.Length
			}
		}
		got := sampled(&s)
		if s.Bytes <= wholeBytes || plain <= samples*sampleBytes {
			if !reflect.DeepEqual(got, s) {
				t.Fatalf("%+v became %+v", s, got)
			}
			return
		}
		if want := s.Bytes - plain + samples*sampleBytes; got.Bytes != want {
			t.Fatalf("%d bytes, want %d of %d", got.Bytes, want, s.Bytes)
		}
		checkPieces(t, &s, got.Files)
	})
}

// checkPieces checks that pieces lie in the files of a split, one behind the other, at even distances; and that all files
// are there that have to stay whole.
func checkPieces(t *rapid.T, s *Split, pieces []FileRange) {
	var plain, at, wanted int64 // wanted: of the pieces so far
	for _, f := range s.Files {
		if !f.Whole {
			plain += f.Length
		}
	}
	for i := range s.Files {
		f := &s.Files[i]
		if f.Whole {
			if len(pieces) == 0 || pieces[0] != *f {
				t.Fatalf("file %d is not whole", i)
			}
			pieces = pieces[1:]
			continue
		}
		end := f.Offset
		for ; len(pieces) > 0 && pieces[0].Path == f.Path; pieces = pieces[1:] {
			p := pieces[0]
			if p.Offset < end || p.Length <= 0 || p.Offset+p.Length > f.Offset+f.Length || p.Size != f.Size || p.Whole {
				t.Fatalf("file %d: %+v after byte %d", i, p, end)
			}
			if want := wanted/sampleBytes*(plain/samples) + wanted%sampleBytes; at+p.Offset-f.Offset != want {
				t.Fatalf("file %d: %+v begins at byte %d of the split, want %d", i, p, at+p.Offset-f.Offset, want)
			}
			wanted += p.Length
			end = p.Offset + p.Length
		}
		at += f.Length
	}
	if len(pieces) > 0 {
		t.Fatalf("%+v is of no file", pieces[0])
	}
}
