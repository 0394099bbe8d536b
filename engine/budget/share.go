package budget

import (
	"errors"
	"fmt"

	"fletch/engine/coro"
)

// Share is what one attempt holds. Its methods may be called from anywhere, but for Await. After Close it takes nothing, and
// what comes back late has been given back already.
type Share struct {
	pool *Pool
	// Guarded by the pool's lock.
	used, peak, granted int64
	closed              bool
}

// Take takes n bytes, or refuses.
func (s *Share) Take(n int64) bool {
	assert(n)
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.takeLocked(n)
}

func (s *Share) takeLocked(n int64) bool {
	p := s.pool
	// Differences, as a sum with what a damaged length asks for could wrap around.
	if s.closed || n > p.mu.limit/p.mu.shares-s.used || n > p.mu.limit-p.mu.used {
		return false
	}
	s.addLocked(n)
	return true
}

func (s *Share) addLocked(n int64) {
	s.used += n
	s.pool.mu.used += n
	s.peak = max(s.peak, s.used)
	s.granted += max(n, 0)
}

// Must takes n bytes whether there is room or not: for what is small, or is there already. What it takes beyond the limit
// keeps others, and this share, from taking more.
func (s *Share) Must(n int64) {
	assert(n)
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	if !s.closed {
		s.addLocked(n)
	}
}

// Give gives n bytes back, which were taken before.
func (s *Share) Give(n int64) {
	assert(n)
	p := s.pool
	p.mu.Lock()
	defer p.unlock()
	switch {
	case s.closed:
	case n > s.used:
		panic(fmt.Sprintf("budget: %d bytes are given back, %d were taken", n, s.used))
	default:
		s.addLocked(-n)
	}
}

// assert checks a number of bytes.
func assert(n int64) {
	if n < 0 {
		panic(fmt.Sprintf("budget: %d bytes", n))
	}
}

// TooLargeError says that an attempt needs at once more than it can be sure of.
type TooLargeError struct{ Bytes, Share int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s are needed at once, a task's share of the memory is %s: give more with --memory, or run fewer tasks at a time",
		size(e.Bytes), size(e.Share))
}

func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// errClosed means that an attempt asks for memory after its end.
var errClosed = errors.New("the share of the memory has been given back")

// Await takes n bytes and parks c until they are there. It returns a *TooLargeError if the share would pass Most and the bytes
// are not free at once, or c's cause if that is cancelled. Before that, the owner gives back what it can do without.
func (s *Share) Await(c *coro.Coroutine, n int64) error {
	assert(n)
	if n == 0 {
		return nil
	}
	p := s.pool
	p.mu.Lock()
	if s.closed {
		p.mu.Unlock()
		return errClosed
	}
	w := &waiter{share: s, bytes: n}
	p.mu.waiting = append(p.mu.waiting, w)
	p.unlock()
	return p.await(c, w)
}

// Sure returns what the share can have in any case, if need be after a while. It changes with the pool's limit.
func (s *Share) Sure() int64 {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.pool.sureLocked()
}

// Most returns what the share can have of what it can't do without: the most that one of its pool has been sure of, whatever
// the limit is by now.
func (s *Share) Most() int64 {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.pool.mu.most
}

// Used returns the bytes that the share holds.
func (s *Share) Used() int64 {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.used
}

// Peak returns the most that the share has held at a time.
func (s *Share) Peak() int64 {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.peak
}

// Granted returns the sum of all that was taken.
func (s *Share) Granted() int64 {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	return s.granted
}

// Close gives everything back and leaves the pool. A second call does nothing.
func (s *Share) Close() {
	s.pool.mu.Lock()
	defer s.pool.unlock()
	if !s.closed {
		s.closeLocked()
	}
}

func (s *Share) closeLocked() {
	s.addLocked(-s.used)
	s.closed = true
	s.pool.mu.shares--
}
