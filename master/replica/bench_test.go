package replica

import (
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkCommits measures durable commits through three masters from 256 callers.
func BenchmarkCommits(b *testing.B) {
	const callers = 256
	c := newCluster(b, 3)
	leader := c.leader().replica
	submit := submitOf("bench", max(b.N, callers))
	c.must(submit)
	c.must(planOf(submit))
	ctx := c.context()
	var next atomic.Int64
	var work sync.WaitGroup
	b.ResetTimer()
	for range callers {
		work.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				if o := leader.Apply(ctx, commitOf("bench", i)); o[0].Err != nil {
					b.Error(o[0].Err)
					return
				}
			}
		})
	}
	work.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}
