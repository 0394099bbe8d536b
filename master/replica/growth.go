package replica

import "sync"

// The log is cut by a snapshot once what was applied since the last one passes these: bytes (or the last snapshot's
// size, if that is more, so that snapshots never write more than the log does) or entries.
const (
	snapshotBytes   = 32 << 20
	snapshotEntries = 16 << 10
)

// growth follows the log since the last snapshot.
type growth struct {
	due chan struct{} // capacity 1: a snapshot is due
	mu  struct {
		sync.Mutex
		bytes, entries int64
		last           int64 // bytes of the last snapshot
	}
}

func newGrowth() *growth { return &growth{due: make(chan struct{}, 1)} }

// add counts an entry that was applied.
func (g *growth) add(bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.bytes += int64(bytes)
	g.mu.entries++
	if g.mu.bytes < max(snapshotBytes, g.mu.last) && g.mu.entries < snapshotEntries {
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
