package executor

import "runtime/debug"

// limits is what the executor may use of the machine.
type limits struct{ memoryBytes int64 }

// leastMemory keeps a mistaken limit from making the garbage collector run without end.
const leastMemory = 32 << 20

// set changes the limit; it counts for the heap at once and for the tables of attempts that start from now on.
func (l *limits) set(memoryBytes int64) {
	l.memoryBytes = max(memoryBytes, leastMemory)
	debug.SetMemoryLimit(l.memoryBytes)
}

// tableBytes is how large one table may grow where so many attempts run at a time.
func (l *limits) tableBytes(slots int) int64 { return l.memoryBytes / int64(4*slots) }

// shuffleBytes is how much of the memory holds blocks until their attempt is committed.
func (l *limits) shuffleBytes() int64 { return min(l.memoryBytes/4, 128<<20) }

// bufferBytes is the memory in which an attempt collects rows for the shuffle; see shuffle.Config.
func (l *limits) bufferBytes(slots int) int64 {
	return min(max(l.memoryBytes/int64(8*slots), 256<<10), 8<<20)
}
