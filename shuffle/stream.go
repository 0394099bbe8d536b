package shuffle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch/frame"
	"fletch/shuffle/extent"
)

const (
	// MaxAttempts is how many attempts a Query names at the most.
	MaxAttempts = 128
	// MaxBlocks is how many blocks, attempts times partitions, a Query asks for at the most.
	MaxBlocks = 1024

	// maxUnit is the longest unit of a stream: a block's header, or a frame with an end mark.
	maxUnit = max(headerBytes+maxBody, frame.MaxBytes+frame.EndBytes)
	// firstBytes is how much memory is taken for a response on the word of its length alone.
	firstBytes = 4 << 20
	// minBytesPerSecond is the pace below which a transfer counts as broken.
	minBytesPerSecond = 1 << 20
)

var (
	// errSlow means that a worker did not send what it was asked for in time.
	errSlow = errors.New("the worker is too slow")
	// errOnTheWay means that a worker has whole what has come damaged, twice.
	errOnTheWay = errors.New("damaged twice on the way, by the network or by this machine,")
)

// stream fetches the blocks of one worker's producers for one Reader: of one partition after those of the one before,
// and in each of the attempts in their order. It asks for a chunk at a time, of whole units.
type stream struct {
	store    *Store
	worker   string
	attempts []string // the worker's, in the Reader's order
	hi       int

	// What follows belongs to the call of try that is under way, else to the Reader's coroutine.
	query     Query // where the next chunk begins
	partition int   // of the next block
	attempt   int   // of the next block, an index of attempts
	left      int   // blocks of the query that are not cut to their end
	block     *inBlock
	chunk     []byte // of which a broken transfer has left the first bytes
	length    int64  // of the chunk in all; 0 between chunks
	suspect   int64  // offset of the unit that came damaged, and is whole at the worker; -1 for none
	err       error  // sticky

	// What follows belongs to the Reader's coroutine.
	inlet
}

func newStream(s *Store, worker string, exchange, lo, hi int) *stream {
	return &stream{store: s, worker: worker, hi: hi, partition: lo, query: Query{Exchange: exchange}, suspect: -1}
}

func (s *stream) done() bool { return s.left == 0 && s.partition >= s.hi }

// try asks once for the rest of the next chunk, and cuts it once it is whole. An error may be met by another try, unless
// it is final.
func (s *stream) try(ctx context.Context, limit int64) (arrival, error) {
	if s.err != nil {
		return arrival{}, s.err
	}
	if s.left == 0 {
		s.ask()
	}
	if err := s.receive(ctx, limit); err != nil {
		return arrival{}, err
	}
	pieces, used, damage := s.cut()
	got := arrival{pieces: pieces, bytes: s.length}
	s.query.Offset += used
	s.chunk, s.length = nil, 0
	if damage != nil {
		s.err = s.examine(ctx, damage)
	}
	if len(pieces) == 0 {
		return got, s.err
	}
	return got, nil
}

// arrival is a chunk that has come.
type arrival struct {
	pieces []piece // none if its first unit was damaged
	bytes  int64
}

// ask begins the next query: all that is left, as far as one query reaches.
func (s *stream) ask() {
	q := Query{Exchange: s.query.Exchange, Attempts: s.attempts, Lo: s.partition, Hi: s.partition + 1}
	if len(s.attempts) <= MaxAttempts {
		q.Hi = min(s.hi, s.partition+MaxBlocks/len(s.attempts))
	} else {
		q.Attempts = s.attempts[s.attempt:min(s.attempt+MaxAttempts, len(s.attempts))]
	}
	s.query, s.left, s.suspect = q, len(q.Attempts)*(q.Hi-q.Lo), -1
}

// receive fetches what chunk lacks.
func (s *stream) receive(ctx context.Context, limit int64) error {
	q := s.query
	q.Offset += int64(len(s.chunk))
	q.Limit = limit
	if s.length > 0 {
		q.Limit = s.length - int64(len(s.chunk))
	}
	ctx, pace := startPace(ctx, s.store.config.TryTimeout)
	defer pace.stop()
	body, n, err := s.store.fetcher().Fetch(ctx, s.worker, q)
	if err != nil {
		return pace.cause(err)
	}
	defer body.Close()
	switch {
	case s.length == 0 && (n <= 0 || n > limit+maxUnit):
		return &RefusedError{Reason: fmt.Sprintf("asked for %d bytes, it answers with %d", limit, n)}
	case s.length > 0 && n != q.Limit:
		s.chunk, s.length = nil, 0
		return fmt.Errorf("asked for the last %d bytes of a chunk, it answers with %d", q.Limit, n)
	}
	s.length = int64(len(s.chunk)) + n
	pace.extend(n)
	return pace.cause(s.fill(body))
}

// fill reads the chunk to its end into memory that is as fresh as the chunk.
func (s *stream) fill(body io.Reader) error {
	for int64(len(s.chunk)) < s.length {
		if len(s.chunk) == cap(s.chunk) {
			grown := make([]byte, len(s.chunk), min(s.length, max(firstBytes, 2*int64(len(s.chunk)))))
			copy(grown, s.chunk)
			s.chunk = grown
		}
		n, err := io.ReadFull(body, s.chunk[len(s.chunk):cap(s.chunk)])
		s.chunk = s.chunk[:len(s.chunk)+n]
		if err != nil {
			return fmt.Errorf("the transfer broke off with %d of %d bytes: %w", len(s.chunk), s.length, err)
		}
	}
	return nil
}

// examine finds out why the next unit came damaged. It returns nil if another transfer may mend that.
func (s *stream) examine(ctx context.Context, damage error) error {
	switch {
	case final(damage):
		return damage
	case s.suspect == s.query.Offset:
		return onTheWay(s.worker, damage)
	}
	s.suspect = s.query.Offset
	return s.verify(ctx, s.attempts[s.attempt], s.partition)
}

// onTheWay is the error of a unit that came damaged twice, though the worker says that it has it whole.
func onTheWay(worker string, damage error) error {
	return fmt.Errorf("%w from worker %s: %w", errOnTheWay, worker, damage)
}

// decodeAgain fetches a frame that came damaged once more, if its worker has it whole. It touches nothing that a call of
// try is at.
func (s *stream) decodeAgain(ctx context.Context, p piece, f extent.Frame, schema *arrow.Schema) (arrow.Record, error) {
	if err := s.verify(ctx, p.attempt, p.partition); err != nil {
		return nil, err
	}
	ctx, pace := startPace(ctx, s.store.config.TryTimeout)
	defer pace.stop()
	q := p.query
	q.Offset, q.Limit = f.Offset, int64(len(f.Bytes))
	body, n, err := s.store.fetcher().Fetch(ctx, s.worker, q)
	if err != nil {
		return nil, pace.cause(err)
	}
	defer body.Close()
	if n < q.Limit { // it may be more: an end mark
		return nil, &RefusedError{Reason: fmt.Sprintf("asked for a frame of %d bytes, it answers with %d", q.Limit, n)}
	}
	pace.extend(n)
	b := make([]byte, len(f.Bytes))
	if _, err := io.ReadFull(body, b); err != nil {
		return nil, pace.cause(fmt.Errorf("the transfer of a frame broke off: %w", err))
	}
	rec, err := frame.Decode(b, schema)
	if err != nil {
		return nil, onTheWay(s.worker, err)
	}
	return rec, nil
}

// verify has the worker look at its copy of a block. It returns an error if the worker finds it damaged, or gone.
func (s *stream) verify(ctx context.Context, attempt string, partition int) error {
	ctx, pace := startPace(ctx, s.store.config.TryTimeout)
	defer pace.stop()
	err := s.store.fetcher().Verify(ctx, s.worker, s.query.Exchange, partition, attempt)
	if final(err) {
		return err
	}
	return nil // who cannot be asked may be able to send
}

// blame says whose fault err is: of the producers whose outputs the worker has lost, or of all if it is not there.
func (s *stream) blame(err error, partition int) error {
	attempts := s.attempts
	gone, ok := errors.AsType[*GoneError](err)
	if ok {
		attempts = slices.DeleteFunc(slices.Clone(gone.Attempts), func(a string) bool { return !slices.Contains(s.attempts, a) })
	}
	if final(err) && !ok || len(attempts) == 0 {
		return fmt.Errorf("fetch from worker %s: %w", s.worker, err)
	}
	return lost(attempts, s.query.Exchange, partition, fmt.Errorf("worker %s: %w", s.worker, err))
}

// final reports whether err stays, however often one tries.
func final(err error) bool {
	_, gone := errors.AsType[*GoneError](err)
	_, refused := errors.AsType[*RefusedError](err)
	return gone || refused || errors.Is(err, errOnTheWay)
}
