package shuffle

import (
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/coro"
)

const benchRows, benchPartitions = 8192, 32

// benchBatches returns batches of words of about 10 bytes with their counts, and where their rows go.
func benchBatches() (recs []arrow.Record, parts [][]uint32, bytes int64) {
	for i := range 16 {
		all := make([]row, benchRows)
		for j := range all {
			n := (i*benchRows + j) * 2654435761 % 1_000_003
			all[j] = row{key: fmt.Sprint("word ", n), value: int64(j), partition: uint32(n % benchPartitions)}
			bytes += int64(len(all[j].key) + 8)
		}
		rec, p := record(all)
		recs, parts = append(recs, rec), append(parts, p)
	}
	return recs, parts, bytes / 16
}

// report reports what a row costs; bytes is what a batch of them carries.
func report(b *testing.B, rows int, bytes int64) {
	b.SetBytes(bytes)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
}

// BenchmarkPortWrite scatters and encodes batches of rows; every 64 batches it commits and removes what it wrote.
func BenchmarkPortWrite(b *testing.B) {
	recs, parts, bytes := benchBatches()
	for name, budget := range map[string]int64{"memory": math.MaxInt64, "disk": 0} {
		b.Run(name, func(b *testing.B) {
			sched := startScheduler(b)
			s := newStore(b, Config{MemoryBytes: budget})
			b.ReportAllocs()
			err := sched.run(func(c *coro.Coroutine) error {
				b.ResetTimer()
				for n := 0; n < b.N; n += 64 {
					w, err := s.NewWriter(c, shareOf(c), "a")
					if err != nil {
						return err
					}
					port, err := w.Port(1, pairs, benchPartitions)
					if err != nil {
						return err
					}
					for i := range min(64, b.N-n) {
						if err := port.Write(recs[i%16], parts[i%16]); err != nil {
							return err
						}
					}
					if _, err := w.Commit(); err != nil {
						return err
					}
					if err := s.Remove("a"); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			report(b, b.N*benchRows, bytes)
			b.StopTimer()
			closeStore(b, s)
		})
	}
}

// BenchmarkReader reads the partitions of outputs of 64 batches each.
func BenchmarkReader(b *testing.B) {
	recs, parts, bytes := benchBatches()
	for name, budget := range map[string]int64{"memory": math.MaxInt64, "disk": 0} {
		b.Run(name, func(b *testing.B) {
			sched := startScheduler(b)
			s := newStore(b, Config{MemoryBytes: budget})
			b.ReportAllocs()
			err := sched.run(func(c *coro.Coroutine) error {
				w, err := s.NewWriter(c, shareOf(c), "a")
				if err != nil {
					return err
				}
				port, err := w.Port(1, pairs, benchPartitions)
				if err != nil {
					return err
				}
				for i := range 64 {
					if err := port.Write(recs[i%16], parts[i%16]); err != nil {
						return err
					}
				}
				if _, err := w.Commit(); err != nil {
					return err
				}
				b.ResetTimer()
				for range b.N {
					r := s.NewReader(c, local("a"), 1, pairs, 0, benchPartitions)
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
					if err := r.Close(); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
			report(b, b.N*64*benchRows, 64*bytes)
			b.StopTimer()
			closeStore(b, s)
		})
	}
}
