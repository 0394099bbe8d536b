package shuffle

import "sync"

// counter counts bytes in memory.
type counter struct {
	limit int64
	mu    struct {
		sync.Mutex
		used int64
	}
}

// take takes n bytes, or refuses.
func (c *counter) take(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.used+n > c.limit {
		return false
	}
	c.mu.used += n
	return true
}

// give returns n bytes that were taken; a negative n takes them, whether there is room or not.
func (c *counter) give(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.used -= n
}
