package replica

import "sync"

// limits say when the log is cut by a snapshot: once what was applied since the last one passes them.
type limits struct {
	bytes    int64  // or the size of the last snapshot, if that is more: so snapshots never write more than the log does
	entries  int64  // they cost a restart some time, however small they are
	trailing uint64 // entries kept before the snapshot, for followers that are a little behind
}

var defaultLimits = limits{bytes: 32 << 20, entries: 16 << 10, trailing: 2 << 10}

// growth follows the log since the last snapshot.
type growth struct {
	limits limits
	due    chan struct{} // capacity 1: a snapshot is due
	mu     struct {
		sync.Mutex
		bytes, entries int64
		last           int64 // bytes of the last snapshot
	}
}

func newGrowth(l limits) *growth { return &growth{limits: l, due: make(chan struct{}, 1)} }

// add counts an entry that was applied.
func (g *growth) add(bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.bytes += int64(bytes)
	g.mu.entries++
	if g.mu.bytes < max(g.limits.bytes, g.mu.last) && g.mu.entries < g.limits.entries {
		return
	}
	select {
	case g.due <- struct{}{}:
	default:
	}
}

// begin counts from here on: a snapshot of what was applied up to now is being written.
func (g *growth) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.bytes, g.mu.entries = 0, 0
}

// end takes down the size of a snapshot that was written.
func (g *growth) end(bytes int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.last = bytes
}
