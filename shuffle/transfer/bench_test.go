package transfer

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fletch/engine/coro"
	"fletch/shuffle"
)

// cpu returns the processor time that this process has taken, both ends of what it benchmarks.
func cpu(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// report reports what n bytes a round cost; start is the time taken before.
func report(b *testing.B, start time.Duration, n int64) {
	b.SetBytes(n)
	b.ReportMetric((cpu(b)-start).Seconds()/float64(b.N)/float64(n)*1e9, "cpu-s/GB")
}

// BenchmarkServe sends whole streams over loopback to a client that throws them away.
func BenchmarkServe(b *testing.B) {
	for _, size := range []int{64 << 20, 1 << 20} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			bench := newBench(b, size/benchAttempts/1024, 1000, shuffle.Config{})
			b.ResetTimer()
			start, n := cpu(b), int64(0)
			for range b.N {
				response, err := http.Get(bench.server.URL + allBlocks)
				if err != nil {
					b.Fatal(err)
				}
				if n, err = io.Copy(io.Discard, response.Body); err != nil {
					b.Fatal(err)
				}
				response.Body.Close()
			}
			report(b, start, n)
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
			b.ReportAllocs()
			b.ResetTimer()
			start := cpu(b)
			bench.run(func(c *coro.Coroutine) error {
				for range b.N {
					if err := bench.drain(c); err != nil {
						return err
					}
				}
				return nil
			})
			report(b, start, bytes)
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
