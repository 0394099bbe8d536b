package shuffle

import "sync"

// counter counts bytes in memory.
type counter struct {
	mu struct {
		sync.Mutex
		limit int64
		used  int64
	}
}

// set changes the limit. What has been taken beyond it stays until it is given back.
func (c *counter) set(limit int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.limit = limit
}

// take takes n bytes, or refuses.
func (c *counter) take(n int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.used+n > c.mu.limit {
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
