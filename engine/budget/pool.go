package budget

import (
	"slices"
	"sync"

	"fletch/engine/coro"
)

const (
	// seatBytes is the least that a share is sure of, unless the pool is smaller. A table, the buffers of a shuffle's
	// partitions and sorted runs that are merged need as much to be of use.
	seatBytes = 16 << 20
	// spareBytes is the least where there are more seats than cores. More attempts than cores make up for those that wait,
	// which is worth less than that others need not spill.
	spareBytes = 32 << 20
)

// Pool is the memory of one process. It may be used from anywhere.
type Pool struct {
	cores, slots int
	mu           struct {
		sync.Mutex
		limit   int64
		most    int64     // that a share has been sure of so far
		used    int64     // of all shares; it may pass the limit by what was taken with Must
		shares  int64     // joined
		joining []*waiter // for a seat, the oldest first
		waiting []*waiter // for bytes, likewise
	}
}

// waiter is a coroutine that is parked until what it asks for is settled.
type waiter struct {
	share   *Share
	bytes   int64 // zero for who asks for a seat
	settled coro.Future[struct{}]
	err     error // with which settled is completed
	granted bool  // it has what it asked for; guarded by the pool's lock
}

// NewPool returns a pool of so many bytes, for at most so many shares at a time, which so many cores work on.
func NewPool(bytes int64, cores, slots int) *Pool {
	p := &Pool{cores: cores, slots: slots}
	p.mu.limit = bytes
	return p
}

// Seats returns how many shares of a pool of so many bytes may be joined at a time, where there are so many cores and slots.
func Seats(bytes int64, cores, slots int) int {
	seats := max(min(int64(cores), bytes/seatBytes), bytes/spareBytes)
	return int(max(1, min(int64(slots), seats)))
}

func (p *Pool) seatsLocked() int64 { return int64(Seats(p.mu.limit, p.cores, p.slots)) }

// sureLocked returns what a share can have in any case. After the limit has fallen, more may be joined than there are seats.
func (p *Pool) sureLocked() int64 { return p.mu.limit / max(p.seatsLocked(), p.mu.shares) }

// SetLimit changes the limit. Shares that hold too much by then are refused until they have given back enough.
func (p *Pool) SetLimit(bytes int64) {
	p.mu.Lock()
	p.mu.limit = bytes
	p.unlock()
}

// Join returns an empty share, which its owner ends with Close. It parks c until there is a seat, and returns c's cause if
// that is cancelled.
func (p *Pool) Join(c *coro.Coroutine) (*Share, error) {
	s := &Share{pool: p}
	w := &waiter{share: s}
	p.mu.Lock()
	p.mu.joining = append(p.mu.joining, w)
	p.unlock()
	if err := p.await(c, w); err != nil {
		return nil, err
	}
	return s, nil
}

// Used returns the bytes that all shares hold.
func (p *Pool) Used() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.used
}

// unlock settles what can be settled after a change, releases the lock and wakes who was settled.
func (p *Pool) unlock() {
	settled := p.settleLocked()
	p.mu.Unlock()
	for _, w := range settled {
		w.settled.Complete(struct{}{}, w.err)
	}
}

// settleLocked grants seats and bytes, the oldest request first, and takes out who asks for more than there can be. Who would
// only have waited before the limit fell does not wait for what may never come: it is granted that at once.
func (p *Pool) settleLocked() (settled []*waiter) {
	for len(p.mu.joining) > 0 && p.mu.shares < p.seatsLocked() {
		w := p.mu.joining[0]
		p.mu.joining = p.mu.joining[1:]
		p.mu.shares++
		w.granted = true
		settled = append(settled, w)
	}
	sure := p.sureLocked()
	p.mu.most = max(p.mu.most, sure)
	p.mu.waiting = slices.DeleteFunc(p.mu.waiting, func(w *waiter) bool {
		s := w.share
		if w.granted = s.takeLocked(w.bytes); !w.granted {
			switch {
			case w.bytes <= sure-s.used:
				return false
			case w.bytes <= p.mu.most-s.used:
				s.addLocked(w.bytes)
				w.granted = true
			default:
				w.err = &TooLargeError{Bytes: s.used + w.bytes, Share: p.mu.most}
			}
		}
		settled = append(settled, w)
		return true
	})
	return settled
}

// await parks c until w is settled. If c goes away instead, cancelled or unwound, so does what it asked for.
func (p *Pool) await(c *coro.Coroutine, w *waiter) error {
	returned := false
	defer func() {
		if !returned {
			p.withdraw(w)
		}
	}()
	_, err := coro.Await(c, &w.settled)
	returned = err == nil
	return err
}

// withdraw takes a request out, or gives back what it was granted meanwhile.
func (p *Pool) withdraw(w *waiter) {
	p.mu.Lock()
	defer p.unlock()
	same := func(o *waiter) bool { return o == w }
	switch {
	case !w.granted:
		p.mu.joining = slices.DeleteFunc(p.mu.joining, same)
		p.mu.waiting = slices.DeleteFunc(p.mu.waiting, same)
	case w.bytes == 0:
		w.share.closeLocked()
	default:
		w.share.addLocked(-w.bytes)
	}
}
