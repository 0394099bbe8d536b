package machine

import (
	"os"
	"runtime/debug"
)

// LeastMemory is the smallest budget of a process that runs tasks.
const LeastMemory = 64 << 20

// DefaultMemory returns the budget of a process for which nobody names one: half of what it may use.
func DefaultMemory() int64 { return max(Memory()/2, LeastMemory) }

// LimitHeap makes bytes the limit of the garbage collector.
func LimitHeap(bytes int64) {
	debug.SetMemoryLimit(bytes)
	if os.Getenv("GOGC") == "" {
		// Most of the heap are tables and blocks without pointers, which cost the collector nothing: collecting twice as
		// often as by default saves a third of the memory for a few percent of a core.
		debug.SetGCPercent(50)
	}
}
