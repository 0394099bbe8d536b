package machine

import (
	"os"
	"runtime/debug"
)

// LeastMemory is the smallest budget of a process that runs tasks.
const LeastMemory = 64 << 20

// DefaultMemory returns the budget of a process for which nobody names one: half of what it may use.
func DefaultMemory() int64 { return max(Memory()/2, LeastMemory) }

// ample is the budget from which on memory is left over, as a rule.
const ample = 1 << 30

// LimitHeap makes bytes the limit of the garbage collector, which keeps what is resident within a few MiB of it, and chooses
// how often it collects below. Of an ample budget, memory is to be left for others: most of the heap are tables and blocks
// without pointers, so that collecting twice as often as by default saves a third of it for a few percent of a core. A small
// one is used up in any case: to collect at the limit alone takes half the time of that.
func LimitHeap(bytes int64) {
	debug.SetMemoryLimit(bytes)
	switch {
	case os.Getenv("GOGC") != "":
	case bytes < ample:
		debug.SetGCPercent(200)
	default:
		debug.SetGCPercent(50)
	}
}
