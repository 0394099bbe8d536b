package spill

import (
	"fmt"
	"io"
	"testing"

	"fletch/engine/coro"
)

// BenchmarkSpill writes runs of 64 MiB in batches of 128 KiB and reads them. Fresh: into new pages of the file, else into
// those of the run before.
func BenchmarkSpill(b *testing.B) {
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%060d", i*7919)
	}
	rec := record(words...)
	const n = 512
	for _, fresh := range []bool{true, false} {
		b.Run(fmt.Sprintf("fresh=%v", fresh), func(b *testing.B) {
			bench := newBench(b, coro.Config{Runners: 1})
			b.SetBytes(n * 128 << 10)
			b.ReportAllocs()
			for b.Loop() {
				err := bench.run(func(f *File) error {
					for range 4 {
						w, err := f.Create(rec.Schema())
						if err != nil {
							return err
						}
						for range n / 4 {
							if err := w.Write(rec); err != nil {
								return err
							}
						}
						run, err := w.Close()
						if err != nil {
							return err
						}
						r, err := run.Open()
						if err != nil {
							return err
						}
						for {
							rec, err := r.Next()
							if err == io.EOF {
								break
							}
							if err != nil {
								return err
							}
							rec.Release()
						}
						if !fresh {
							run.Drop()
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
