package shuffle

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/coro"
	"fletch/shuffle/extent"
)

const (
	// readerAheadBytes is what one Reader holds of other workers' outputs, if it has not more streams than fit.
	readerAheadBytes = 8 << 20
	maxChunkBytes    = 2 << 20
	minChunkBytes    = 64 << 10
	// maxFlying is how many calls one Reader has under way that it does not need yet.
	maxFlying = 4
)

// remote is what a Reader reads from other workers. It belongs to the Reader's coroutine.
type remote struct {
	c       *coro.Coroutine
	store   *Store
	ctx     context.Context
	cancel  context.CancelFunc
	streams []*stream
	of      map[string]int // worker -> index of streams
	chunk   int64          // how much is asked for at once
}

// inlet is the Reader's end of a stream.
type inlet struct {
	pieces []piece
	held   int64 // of the Store's budget, for pieces
	call   *coro.Future[outcome]
	taken  int64 // of the Store's budget, for call
	flying atomic.Bool
}

// outcome is what a call of try returned.
type outcome struct {
	arrival
	err error
}

// newRemote returns the streams of those producers that other workers have, or nil if there are none.
func newRemote(c *coro.Coroutine, s *Store, producers []Producer, exchange, lo, hi int) *remote {
	if !slices.ContainsFunc(producers, func(p Producer) bool { return p.Worker != "" }) {
		return nil
	}
	r := &remote{c: c, store: s, of: map[string]int{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for _, p := range producers {
		if p.Worker == "" {
			continue
		}
		i, ok := r.of[p.Worker]
		if !ok {
			i = len(r.streams)
			r.of[p.Worker] = i
			r.streams = append(r.streams, newStream(s, p.Worker, exchange, lo, hi))
		}
		r.streams[i].attempts = append(r.streams[i].attempts, p.Attempt)
	}
	r.chunk = min(max(readerAheadBytes/int64(2*len(r.streams)), minChunkBytes), maxChunkBytes)
	return r
}

// next returns the next piece of a worker's stream.
func (r *remote) next(worker string) (piece, error) {
	at := r.of[worker]
	s := r.streams[at]
	for patience := (patience{limit: r.store.config.Patience}); len(s.pieces) == 0; {
		if s.call == nil && !r.launch(s) {
			r.fly(s, minChunkBytes)
		}
		r.ahead(at)
		got, err := coro.Await(r.c, s.call)
		if err != nil {
			return piece{}, err // the coroutine is cancelled, and the call still at work
		}
		s.call = nil
		switch {
		case got.err == nil:
			r.land(s, got.arrival)
		case final(got.err):
			return piece{}, s.blame(got.err, s.partition)
		default:
			again, err := patience.wait(r.c)
			if err != nil {
				return piece{}, err
			}
			if !again {
				return piece{}, s.blame(patience.spent(got.err), s.partition)
			}
		}
	}
	p := s.pieces[0]
	s.pieces = s.pieces[1:]
	if len(s.pieces) == 0 {
		r.store.ahead.give(s.held)
		s.held = 0
	}
	r.ahead(at)
	return p, nil
}

// ahead sends for what comes after the stream at, as far as the budget allows: the first of those streams that have
// nothing here, then more of those that have.
func (r *remote) ahead(at int) {
	flying := 0
	for _, s := range r.streams {
		if s.flying.Load() {
			flying++
		}
	}
	for _, more := range []bool{false, true} {
		for i := range r.streams {
			s := r.streams[(at+i)%len(r.streams)]
			if s.call != nil || len(s.pieces) > 0 != more || s.done() {
				continue
			}
			if flying >= maxFlying || !r.launch(s) {
				return
			}
			flying++
		}
	}
}

// launch sends for the next chunk of s if the budget has room for it.
func (r *remote) launch(s *stream) bool {
	if s.taken == 0 { // else an earlier try has taken it
		if !r.store.ahead.take(r.chunk) {
			return false
		}
		s.taken = r.chunk
	}
	r.fly(s, r.chunk)
	return true
}

func (r *remote) fly(s *stream, limit int64) {
	s.flying.Store(true)
	s.call = coro.Go(r.c, func() (outcome, error) {
		defer s.flying.Store(false)
		got, err := s.try(r.ctx, limit)
		return outcome{arrival: got, err: err}, nil
	})
}

// land takes over a chunk. If the budget was asked for it, the budget is told how long it is.
func (r *remote) land(s *stream, got arrival) {
	s.pieces = got.pieces
	if s.taken > 0 && len(s.pieces) > 0 {
		s.held += got.bytes
		r.store.ahead.give(s.taken - got.bytes)
		s.taken = 0
	}
}

// close ends what is under way and gives back what was taken.
func (r *remote) close() {
	r.cancel()
	for _, s := range r.streams {
		r.store.ahead.give(s.held + s.taken)
		s.held, s.taken = 0, 0
	}
}

// decodeAgain fetches a frame that came damaged once more.
func (r *remote) decodeAgain(p piece, f extent.Frame, schema *arrow.Schema) (arrow.Record, error) {
	for patience := (patience{limit: r.store.config.Patience}); ; {
		rec, err := coro.Await(r.c, coro.Go(r.c, func() (arrow.Record, error) { return p.from.decodeAgain(r.ctx, p, f, schema) }))
		switch {
		case err == nil:
			return rec, nil
		case final(err):
			return nil, p.from.blame(err, p.partition)
		}
		again, cancelled := patience.wait(r.c)
		if cancelled != nil {
			return nil, cancelled
		}
		if !again {
			return nil, p.from.blame(patience.spent(err), p.partition)
		}
	}
}
