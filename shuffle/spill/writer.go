package spill

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch/frame"
	"fletch/engine/coro"
	"fletch/fault"
	"fletch/shuffle/extent"
)

// errEnded is what a Writer says after Close.
var errEnded = errors.New("spilled run has ended")

// Writer writes one run.
type Writer struct {
	file    *File
	schema  *arrow.Schema
	encoder *frame.Encoder
	extents []extent.Extent
	rows    int64
	bytes   int64 // of extents
	err     error // sticky

	// What is collected for the next extent.
	buffer []byte
	frames []uint32
	held   int64 // rows in frames

	// The write that is under way: it belongs to the I/O goroutine until flight is complete.
	flight *coro.Future[struct{}] // nil where there is none
	flying []byte
}

// Write appends a batch, which stays the caller's. It waits for the disk only while an earlier write is under way.
func (w *Writer) Write(rec arrow.Record) error {
	if w.err == nil {
		w.err = w.write(rec)
	}
	return w.err
}

func (w *Writer) write(rec arrow.Record) error {
	if rec.NumRows() == 0 {
		return nil
	}
	before, start := cap(w.buffer), len(w.buffer)
	var err error
	if w.buffer, err = w.encoder.Append(w.buffer, rec); err != nil {
		if errors.Is(err, frame.ErrTooLarge) {
			err = fault.As(fault.User, err)
		}
		return err
	}
	w.file.share.Must(int64(cap(w.buffer) - before))
	w.frames = append(w.frames, uint32(len(w.buffer)-start))
	w.held += rec.NumRows()
	if len(w.buffer) < writeBytes {
		return nil
	}
	return w.flush()
}

// flush sends what is collected on its way.
func (w *Writer) flush() error {
	if len(w.frames) == 0 {
		return nil
	}
	if err := w.settle(); err != nil {
		return err
	}
	f := w.file
	before := cap(w.buffer)
	b := frame.AppendEnd(w.buffer, int64(len(w.frames)), w.held)
	f.share.Must(int64(cap(b) - before))
	offset := f.space.take(int64(len(b)))
	w.extents = append(w.extents, extent.Extent{Offset: offset, Rows: w.held, Frames: w.frames})
	w.rows += w.held
	w.bytes += int64(len(b))
	f.metrics.SpilledBytes += int64(len(b))
	w.buffer, w.frames, w.held = f.buffer(), nil, 0
	w.flying = b
	w.flight = coro.Go(f.c, func() (struct{}, error) { return struct{}{}, f.write(b, offset) })
	return nil
}

// settle waits for the write that is under way. If that fails, or the coroutine is cancelled, the run is lost.
func (w *Writer) settle() error {
	if w.flight == nil {
		return nil
	}
	if _, err := await(w.file, w.flight); err != nil {
		return fmt.Errorf("spill: %w", err)
	}
	w.flight = nil
	w.file.recycle(w.flying)
	w.flying = nil
	return nil
}

// Close ends the run. One whose Write or Close failed cannot be read.
func (w *Writer) Close() (*Run, error) {
	if w.err != nil {
		return nil, w.err
	}
	if w.err = w.flush(); w.err == nil {
		w.err = w.settle()
	}
	if w.err != nil {
		return nil, w.err
	}
	w.file.recycle(w.buffer)
	delete(w.file.writers, w)
	w.err, w.buffer = errEnded, nil
	if w.rows > 0 {
		w.file.metrics.Spills++
	}
	return newRun(w), nil
}

// abandon ends a Writer whose run is not wanted. It joins what is under way.
func (w *Writer) abandon() {
	if w.flight != nil {
		coro.Join(w.file.c, w.flight) //nolint:errcheck // nobody asks whether what is thrown away was written
	}
	w.file.share.Give(int64(cap(w.buffer) + cap(w.flying)))
	w.err, w.buffer, w.flying, w.flight = errClosed, nil, nil, nil
	delete(w.file.writers, w)
}
