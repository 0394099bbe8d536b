package spill

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch/frame"
	"fletch/engine/coro"
	"fletch/fault"
	"fletch/shuffle/extent"
)

// errReaderClosed is what a Reader says after Close.
var errReaderClosed = errors.New("reader of a spilled run is closed")

// Reader reads a run once. While its caller works on a piece, the next one is on its way.
type Reader struct {
	run    *Run
	left   extent.Cursor                // belongs to ahead while that is not nil
	ahead  *coro.Future[[]extent.Frame] // the read that is under way
	frames []extent.Frame               // what is left of the piece at work
	rows   int64                        // read so far,
	before int64                        // and without the last batch
	err    error                        // sticky
}

// Next returns the next batch, and io.EOF after the last. The caller owns it; its memory is on the Go heap and never reused,
// so that strings in it may be kept. A run that is damaged or cut is an error of class fault.Retryable.
func (r *Reader) Next() (arrow.Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	rec, err := r.next()
	if err != nil {
		r.err, r.frames = err, nil
		return nil, err
	}
	r.before = r.rows
	r.rows += rec.NumRows()
	return rec, nil
}

func (r *Reader) next() (arrow.Record, error) {
	for len(r.frames) == 0 {
		if r.ahead == nil {
			return nil, r.end()
		}
		frames, err := await(r.run.file, r.ahead)
		if err != nil {
			return nil, err
		}
		r.frames, r.ahead = frames, nil
		r.send()
	}
	f := r.frames[0]
	r.frames = r.frames[1:]
	rec, err := frame.Decode(f.Bytes, r.run.schema)
	if err != nil {
		return r.decodeAgain(f)
	}
	return rec, nil
}

// end returns io.EOF if all rows were read.
func (r *Reader) end() error {
	if r.rows != r.run.rows {
		return r.run.file.damaged(fmt.Errorf("a spilled run has %d rows, written were %d", r.rows, r.run.rows))
	}
	return io.EOF
}

// send sends for the next piece, if there is one.
func (r *Reader) send() {
	if r.left.Done() {
		return
	}
	f := r.run.file
	r.ahead = coro.Go(f.c, func() ([]extent.Frame, error) {
		in, err := f.opened()
		if err != nil {
			return nil, err
		}
		frames, err := r.left.Read(in)
		return frames, f.damaged(err)
	})
}

// decodeAgain reads a damaged frame once more: what was wrong with the memory or the way may be right by then, what is wrong
// on the disk stays so.
func (r *Reader) decodeAgain(damaged extent.Frame) (arrow.Record, error) {
	f := r.run.file
	return await(f, coro.Go(f.c, func() (arrow.Record, error) {
		in, err := f.opened()
		if err != nil {
			return nil, err
		}
		b := make([]byte, len(damaged.Bytes))
		if err := extent.ReadFull(in, b, damaged.Offset); err != nil {
			return nil, f.damaged(err)
		}
		rec, err := frame.Decode(b, r.run.schema)
		if err != nil {
			return nil, f.damaged(fmt.Errorf("frame at byte %d, read twice: %w", damaged.Offset, err))
		}
		return rec, nil
	}))
}

// damaged names the file in err, if there is one. Another attempt has a file of its own.
func (f *File) damaged(err error) error {
	if err == nil {
		return nil
	}
	return fault.As(fault.Retryable, fmt.Errorf("read spill file %s: %w", f.path, err))
}

// Position tells which row of the run a row of the last batch is.
func (r *Reader) Position(row int) string {
	return fmt.Sprintf("%d of %d that were spilled", r.before+int64(row), r.run.rows)
}

// Close ends the Reader. A read that is under way ends by itself, into memory of its own.
func (r *Reader) Close() error {
	r.err, r.frames = errReaderClosed, nil
	return nil
}
