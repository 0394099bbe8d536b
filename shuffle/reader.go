package shuffle

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch/frame"
	"fletch/engine/coro"
	"fletch/shuffle/extent"
)

// Reader reads blocks of one exchange, those of one partition after those of the one before. While its caller works on
// a piece of a file, the next piece is on its way, and so are pieces from several other workers. It belongs to one
// coroutine.
type Reader struct {
	c      *coro.Coroutine
	schema *arrow.Schema
	walk   walker              // what moves in it belongs to ahead while that is not nil
	ahead  *coro.Future[piece] // the call of walk.next that is under way
	remote *remote             // nil if this machine has all
	piece  piece               // its frames are what is left of it
	rows   int64               // read of the current block
	err    error               // sticky
}

// errReaderClosed is what a Reader says after Close.
var errReaderClosed = errors.New("shuffle reader is closed")

// Next returns the next record, and io.EOF after the last. The caller owns the record; its memory is on the Go heap and
// never reused, so that strings in it may be kept. An output that is missing, damaged or cut is a LostError.
func (r *Reader) Next() (arrow.Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	rec, err := r.next()
	if r.err = err; err != nil {
		r.end()
	}
	return rec, err
}

func (r *Reader) next() (arrow.Record, error) {
	for len(r.piece.frames) == 0 {
		if err := r.check(); err != nil {
			return nil, err
		}
		var err error
		if r.piece, err = r.fetch(); err != nil {
			return nil, err
		}
	}
	f := r.piece.frames[0]
	r.piece.frames = r.piece.frames[1:]
	rec, err := r.decode(f)
	if err != nil {
		return nil, err
	}
	r.rows += rec.NumRows()
	return rec, nil
}

// check counts the rows of a block whose last piece has been read.
func (r *Reader) check() error {
	if !r.piece.last {
		return nil
	}
	if r.rows != r.piece.rows {
		return r.walk.lost(r.piece, fmt.Errorf("its block has %d rows, written were %d", r.rows, r.piece.rows))
	}
	r.rows = 0
	return nil
}

// fetch returns the next piece and sends for the one behind it.
func (r *Reader) fetch() (piece, error) {
	if r.ahead == nil {
		if producer, ok := r.walk.at(); ok && producer.Worker != "" {
			return r.fetchRemote(producer.Worker)
		} else if ok {
			if err := r.walk.store.find(r.c, producer.Attempt); err != nil {
				return piece{}, err
			}
		}
		if r.remote != nil {
			r.remote.ahead(0)
		}
		if !r.walk.needsIO() {
			return r.walk.next()
		}
		r.ahead = coro.Go(r.c, r.walk.next)
	}
	p, err := coro.Await(r.c, r.ahead)
	if err != nil {
		return piece{}, err
	}
	r.ahead = nil
	if r.walk.needsIO() {
		r.ahead = coro.Go(r.c, r.walk.next)
	}
	return p, nil
}

func (r *Reader) fetchRemote(worker string) (piece, error) {
	p, err := r.remote.next(worker)
	if err != nil {
		return piece{}, err
	}
	if p.last {
		r.walk.step()
	}
	return p, nil
}

// decode verifies and decodes a frame. One that is damaged in a file is read once more: what was wrong with the memory
// or the way may be right by then, what is wrong on the disk stays so. Likewise one from another worker.
func (r *Reader) decode(f extent.Frame) (arrow.Record, error) {
	rec, err := frame.Decode(f.Bytes, r.schema)
	if err == nil {
		return rec, nil
	}
	p := r.piece
	switch {
	case p.from != nil:
		return r.remote.decodeAgain(p, f, r.schema)
	case p.file == nil:
		return nil, r.walk.lost(p, err)
	}
	return coro.Await(r.c, coro.Go(r.c, func() (arrow.Record, error) {
		var rec arrow.Record
		b := make([]byte, len(f.Bytes))
		err := p.file.ReadAt(b, f.Offset)
		if err == nil {
			rec, err = frame.Decode(b, r.schema)
		}
		if err != nil {
			return nil, r.walk.lost(p, fmt.Errorf("%s: frame at byte %d, read twice: %w", p.file.name, f.Offset, err))
		}
		return rec, nil
	}))
}

// Close ends the Reader. What it has under way ends by itself and holds nothing.
func (r *Reader) Close() error {
	r.err = errReaderClosed
	r.end()
	return nil
}

// end lets go of what is not needed any more.
func (r *Reader) end() {
	r.piece = piece{}
	if r.remote != nil {
		r.remote.close()
	}
}
