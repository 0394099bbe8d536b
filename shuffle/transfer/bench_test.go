package transfer

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"fletch/engine/coro"
	"fletch/shuffle"
)

// BenchmarkServe sends whole streams over loopback to a client that throws them away.
func BenchmarkServe(b *testing.B) {
	for _, size := range []int{64 << 20, 1 << 20} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			bench := newBench(b, size/benchAttempts/1024, 1000, shuffle.Config{})
			b.ResetTimer()
			for range b.N {
				response, err := http.Get(bench.server.URL + allBlocks)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, response.Body)
				if err != nil {
					b.Fatal(err)
				}
				response.Body.Close()
				b.SetBytes(n)
			}
			http.DefaultClient.CloseIdleConnections()
		})
	}
}

// BenchmarkFetch is the whole path: serve, fetch, verify, decode. Both ends share this process's cores.
func BenchmarkFetch(b *testing.B) {
	for _, row := range []int{1000, 20} {
		b.Run(fmt.Sprintf("rows of %d bytes", row), func(b *testing.B) {
			const size = 96 << 20
			bench := newBench(b, size/benchAttempts/(row+12), row, shuffle.Config{})
			var bytes int64
			for _, line := range bench.want {
				bytes += int64(len(line))
			}
			bench.want = nil // the collector would visit its strings again and again
			b.SetBytes(bytes)
			b.ReportAllocs()
			b.ResetTimer()
			bench.run(func(c *coro.Coroutine) error {
				for range b.N {
					if err := bench.drain(c); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
}

// drain reads everything and keeps nothing.
func (b *bench) drain(c *coro.Coroutine) error {
	r := b.reader.NewReader(c, producers(b.address()), 1, lines, 0, benchPartitions)
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		rec.Release()
	}
}
