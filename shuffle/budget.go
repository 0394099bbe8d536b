package shuffle

import "sync"

// budget counts bytes in memory.
type budget struct {
	limit int64
	mu    struct {
		sync.Mutex
		used int64
	}
}

// take takes n bytes, or refuses.
func (b *budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.used+n > b.limit {
		return false
	}
	b.mu.used += n
	return true
}

// give returns n bytes that were taken; a negative n takes them, whether there is room or not.
func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.used -= n
}
