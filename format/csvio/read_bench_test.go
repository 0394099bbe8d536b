package csvio

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fletch/engine/batch"
	"fletch/engine/plan"
	"fletch/format/internal/input/inputtest"
)

// grouping is a record of the db-benchmark's group-by data.
type grouping struct {
	ID1 string  `fletch:"id1"`
	ID2 string  `fletch:"id2"`
	ID3 string  `fletch:"id3"`
	ID4 int32   `fletch:"id4"`
	ID5 int32   `fletch:"id5"`
	ID6 int32   `fletch:"id6"`
	V1  int32   `fletch:"v1"`
	V2  int32   `fletch:"v2"`
	V3  float64 `fletch:"v3"`
}

// groupings writes a file of the db-benchmark's data. A field that quote selects is in quotes.
func groupings(b *testing.B, rows int, quote func(column int) bool) plan.FileRange {
	r := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	text.WriteString("id1,id2,id3,id4,id5,id6,v1,v2,v3\n")
	for range rows {
		for i, v := range []string{
			fmt.Sprintf("id%03d", r.IntN(100)+1), fmt.Sprintf("id%03d", r.IntN(100)+1), fmt.Sprintf("id%010d", r.IntN(rows/100)+1),
			fmt.Sprint(r.IntN(100) + 1), fmt.Sprint(r.IntN(100) + 1), fmt.Sprint(r.IntN(rows/100) + 1),
			fmt.Sprint(r.IntN(5) + 1), fmt.Sprint(r.IntN(15) + 1), fmt.Sprintf("%.6f", r.Float64()*100),
		} {
			if quote(i) {
				v = `"` + v + `"`
			}
			if i > 0 {
				text.WriteByte(',')
			}
			text.WriteString(v)
		}
		text.WriteByte('\n')
	}
	path := filepath.Join(b.TempDir(), "groupings.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o666); err != nil {
		b.Fatal(err)
	}
	return plan.FileRange{Path: path, Length: int64(text.Len()), Size: int64(text.Len())}
}

func BenchmarkRead(b *testing.B) {
	none := func(int) bool { return false }
	b.Run("all", benchmarkRead[grouping](none))
	b.Run("2 of 9", benchmarkRead[struct {
		ID1 string `fletch:"id1"`
		V1  int32  `fletch:"v1"`
	}](none))
	b.Run("3 of 9", benchmarkRead[struct {
		ID3 string  `fletch:"id3"`
		V1  int32   `fletch:"v1"`
		V3  float64 `fletch:"v3"`
	}](none))
	b.Run("all, strings in quotes", benchmarkRead[grouping](func(column int) bool { return column < 3 }))
	b.Run("all, all in quotes", benchmarkRead[grouping](func(int) bool { return true }))
}

// benchmarkRead measures on one core, without what is read ahead meanwhile.
func benchmarkRead[T any](quote func(column int) bool) func(b *testing.B) {
	const rows = 1_000_000
	return func(b *testing.B) {
		in := groupings(b, rows, quote)
		codec, err := batch.CodecOf[T]()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(in.Size)
		b.ReportAllocs()
		for b.Loop() {
			r := newTestReader(b, codec.Schema(), 16<<20, []plan.FileRange{in})
			n := int64(0)
			for {
				rec, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				n += rec.NumRows()
				rec.Release()
			}
			if n != rows {
				b.Fatal(n, " rows")
			}
			if err := r.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkBoundary measures what it takes to find the first record of a range.
func BenchmarkBoundary(b *testing.B) {
	for name, quote := range map[string]func(int) bool{
		"no quotes": func(int) bool { return false },
		"quotes":    func(column int) bool { return column == 2 },
	} {
		b.Run(name, func(b *testing.B) {
			in := groupings(b, 1_000_000, quote)
			in.Offset = in.Size * 3 / 4
			in.Length = in.Size - in.Offset
			for b.Loop() {
				s := newSection(&reading{
					options: newOptions("", nil), ctx: context.Background(), maxLine: 16 << 20, memory: inputtest.Ample(),
					alive: func() {}, chunk: chunkBytes, lookBack: lookBackBytes,
				}, in)
				if _, err := s.next(nil, chunkBytes); err != nil {
					b.Fatal(err)
				}
				if err := s.close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
