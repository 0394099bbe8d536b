package executor

import (
	"fletch/internal/machine"
	"fletch/worker/attempt"
)

// limits is what the executor may use of the machine. The agent changes it as executors come and go.
type limits struct{ memoryBytes int64 }

// leastHeap keeps the garbage collector from running without end where many executors share little. It grants nothing:
// attempts have what the agent said.
const leastHeap = 32 << 20

// set changes the limit. It counts for the collector at once.
func (l *limits) set(memoryBytes int64) {
	l.memoryBytes = memoryBytes
	machine.LimitHeap(max(memoryBytes, leastHeap))
}

// aheadShare is the part of the memory for blocks that is for those of other workers, on their way to who reads them.
const aheadShare = 4

// aheadBytes is how much of the memory is for blocks of other workers.
func (l *limits) aheadBytes() int64 { return attempt.BlockBytes(l.memoryBytes) / aheadShare }

// shuffleBytes is how much of the memory holds blocks until their attempt is committed: then they are the agent's.
func (l *limits) shuffleBytes() int64 { return attempt.BlockBytes(l.memoryBytes) - l.aheadBytes() }

// poolBytes is how much of the memory attempts share.
func (l *limits) poolBytes() int64 { return attempt.PoolBytes(l.memoryBytes) }

// limit makes the executor's limits those of the job.
func (j *job) limit(l limits) {
	j.attempts.Pool.SetLimit(l.poolBytes())
	j.attempts.Shuffle.SetMemory(l.shuffleBytes(), l.aheadBytes())
}
