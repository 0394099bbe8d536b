package budget

import (
	"fmt"
	"sync"

	"fletch/engine/coro"
)

// Pool is the memory of one process. It may be used from anywhere.
type Pool struct {
	slots int64
	mu    struct {
		sync.Mutex
		limit   int64
		used    int64 // of all shares; it may pass the limit by what was taken with Must
		shares  int64 // joined
		waiting []*coro.Future[struct{}]
	}
}

// NewPool returns a pool of so many bytes, for at most so many shares at a time.
func NewPool(bytes int64, slots int) *Pool {
	p := &Pool{slots: int64(max(slots, 1))}
	p.mu.limit = bytes
	return p
}

// SetLimit changes the limit. Shares that hold too much by then are refused until they have given back enough.
func (p *Pool) SetLimit(bytes int64) {
	p.mu.Lock()
	p.mu.limit = bytes
	p.mu.Unlock()
	p.wake()
}

// Join returns an empty share. Its owner ends it with Close.
func (p *Pool) Join() *Share {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.shares++
	return &Share{pool: p}
}

// Used returns the bytes that all shares hold.
func (p *Pool) Used() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.used
}

// sureLocked returns what each share can have in any case.
func (p *Pool) sureLocked() int64 { return p.mu.limit / (2 * max(p.slots, p.mu.shares)) }

// wake has everyone who waits look again.
func (p *Pool) wake() {
	p.mu.Lock()
	waiting := p.mu.waiting
	p.mu.waiting = nil
	p.mu.Unlock()
	for _, f := range waiting {
		f.Complete(struct{}{}, nil)
	}
}

// Share is what one attempt holds. Its methods may be called from anywhere, but for Await.
type Share struct {
	pool *Pool
	// Guarded by the pool's lock.
	used, peak, granted int64
	closed              bool
}

// Take takes n bytes, or refuses.
func (s *Share) Take(n int64) bool {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.takeLocked(n)
}

func (s *Share) takeLocked(n int64) bool {
	p := s.pool
	if s.used+n > p.mu.limit/max(p.mu.shares, 1) || p.mu.used+n > p.mu.limit {
		return false
	}
	s.addLocked(n)
	return true
}

func (s *Share) addLocked(n int64) {
	s.used += n
	s.pool.mu.used += n
	s.peak = max(s.peak, s.used)
	if n > 0 {
		s.granted += n
	}
}

// Must takes n bytes whether there is room or not: for what is small, or is there already. What it takes beyond the limit
// keeps others, and this share, from taking more.
func (s *Share) Must(n int64) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.addLocked(n)
}

// Give gives n bytes back.
func (s *Share) Give(n int64) {
	if n == 0 {
		return
	}
	s.pool.mu.Lock()
	s.addLocked(-n)
	s.pool.mu.Unlock()
	s.pool.wake()
}

// TooLargeError says that an attempt needs at once more than its share can be.
type TooLargeError struct{ Bytes, Share int64 }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%d bytes are needed at once, a task's share of the memory is %d: give more memory (--memory), or use fewer cores (--parallelism)", e.Bytes, e.Share)
}

// Await takes n bytes and parks c until they are there. It returns a *TooLargeError at once if the share would pass what it
// is sure of, or c's cause if that is cancelled. Before that, the owner gives back what it can do without.
func (s *Share) Await(c *coro.Coroutine, n int64) error {
	p := s.pool
	for {
		p.mu.Lock()
		if s.takeLocked(n) {
			p.mu.Unlock()
			return nil
		}
		if sure := p.sureLocked(); s.used+n > sure {
			err := &TooLargeError{Bytes: s.used + n, Share: sure}
			p.mu.Unlock()
			return err
		}
		given := new(coro.Future[struct{}])
		p.mu.waiting = append(p.mu.waiting, given)
		p.mu.Unlock()
		if _, err := coro.Await(c, given); err != nil {
			return err
		}
	}
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
	if s.closed {
		s.pool.mu.Unlock()
		return
	}
	s.closed = true
	s.addLocked(-s.used)
	s.pool.mu.shares--
	s.pool.mu.Unlock()
	s.pool.wake()
}
