package shuffle

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch/frame"
	"fletch/engine/batch/gather"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/plan"
	"fletch/fault"
	"fletch/shuffle/extent"
)

// arenaBytes is how much a Writer collects, frames that the budget refused, before it spills them.
const arenaBytes = 1 << 20

// errEnded is what a Writer says after Commit or Discard.
var errEnded = errors.New("shuffle writer has been committed or discarded")

// Writer writes the shuffle output of one attempt, to any number of exchanges. It belongs to one coroutine and ends in
// Commit or Discard. After an error only Discard is of use.
type Writer struct {
	store   *Store
	c       *coro.Coroutine
	share   *budget.Share
	attempt string
	ports   []*Port
	file    draft
	err     error // sticky

	// bufferBytes bounds buffered. It is taken from the share as long as there are builders, whatever they have: a table that
	// is written out needs them when it has taken all else.
	bufferBytes int64
	// listBytes is what the blocks of all ports take beside rows and frames, with their builders. It is taken from the share too.
	listBytes int64
	reserved  int64  // of the share
	buffered  int64  // the capacity of the builders of all ports
	held      int64  // taken from the Store's budget, for the frames in memory
	arena     []byte // where frames are encoded, and those stay until the next spill that the budget refused
	spilled   bool
	metrics   plan.Metrics
}

// Port returns the Writer's way into an exchange, once for each.
func (w *Writer) Port(exchange int, schema *arrow.Schema, partitions int) (*Port, error) {
	if w.err != nil {
		return nil, w.err
	}
	if partitions < 1 {
		return nil, fmt.Errorf("shuffle: exchange %d has %d partitions", exchange, partitions)
	}
	for _, p := range w.ports {
		if p.exchange == exchange {
			return nil, fmt.Errorf("shuffle: exchange %d has its port already", exchange)
		}
	}
	first, err := gather.NewBuilder(schema)
	if err != nil {
		return nil, fmt.Errorf("shuffle: exchange %d: %w", exchange, err)
	}
	p := &Port{
		writer:     w,
		exchange:   exchange,
		schema:     schema,
		frameBytes: w.store.config.frameBytes(partitions, w.bufferBytes),
		source:     gather.NewSource(schema),
		encoder:    frame.NewEncoder(schema),
	}
	if err := w.hold(int64(partitions) * (blockBytes + first.Size())); err != nil {
		return nil, fmt.Errorf("%d partitions of records with %d columns: %w", partitions, schema.NumFields(), err)
	}
	p.blocks = make([]block, partitions)
	p.blocks[0].builder = first
	w.ports = append(w.ports, p)
	return p, nil
}

// hold takes n bytes for the blocks of a port, and what is for all ports. They may take half of what the share is sure of: the
// other half is left to what else the attempt does.
func (w *Writer) hold(n int64) error {
	if total, most := w.listBytes+n, w.share.Most()/2; total > most {
		return fault.As(fault.User, fmt.Errorf("they take %d KiB of memory, and %d KiB of a task's share are for that: "+
			"ask for fewer partitions (--partitions, Repartition), or give more memory (--memory)", total>>10, most>>10))
	}
	w.list(n)
	return nil
}

// list counts n bytes as taken by blocks.
func (w *Writer) list(n int64) {
	w.listBytes += n
	w.reserve(w.bufferBytes + arenaBytes + w.listBytes)
}

// Metrics returns what has been written so far: rows and bytes of frames; the bytes of files among them, how often they
// were written to and how long that took.
func (w *Writer) Metrics() plan.Metrics { return w.metrics }

// Commit makes the output readable as a whole and returns its sizes by partition. An error leaves the Writer for Discard.
func (w *Writer) Commit() ([]plan.ShuffleOutput, error) {
	if w.err != nil {
		return nil, w.err
	}
	out, err := w.finish()
	if err == nil {
		err = w.store.commit(w, out)
	}
	if err != nil {
		w.err = fmt.Errorf("commit shuffle output: %w", err)
		return nil, w.err
	}
	sizes := make([]plan.ShuffleOutput, len(w.ports))
	for i, p := range w.ports {
		sizes[i] = plan.ShuffleOutput{Exchange: p.exchange, Bytes: p.sizes()}
	}
	slices.SortFunc(sizes, func(a, b plan.ShuffleOutput) int { return cmp.Compare(a.Exchange, b.Exchange) })
	w.end()
	return sizes, nil
}

// Discard removes everything that the Writer has written. After Commit it does nothing, so that it may be deferred.
func (w *Writer) Discard() error {
	if errors.Is(w.err, errEnded) {
		return nil
	}
	w.letGo()
	if w.file.f != nil {
		// Joined and not awaited: also a cancelled coroutine cleans up behind itself.
		remove := coro.Go(w.c, func() (struct{}, error) { return struct{}{}, w.file.remove() })
		if _, err := coro.Join(w.c, remove); err != nil {
			return fmt.Errorf("discard shuffle output: %w", err) // the Store's Close tries again
		}
	}
	w.store.forget(w)
	w.end()
	return nil
}

// reserve has the Writer hold n bytes of its share.
func (w *Writer) reserve(n int64) {
	w.share.Must(max(n-w.reserved, 0))
	w.share.Give(max(w.reserved-n, 0))
	w.reserved = n
}

// holdRow takes what a row of so many bytes needs that is larger than the buffers: it stands in one of them, and beside that
// in its frame. The caller gives it back.
func (w *Writer) holdRow(bytes int64) error {
	if bytes > frame.MaxBytes {
		return fault.As(fault.User, fmt.Errorf("a record of %d bytes is larger than the %d that fit into a frame", bytes, frame.MaxBytes))
	}
	if most := w.share.Most(); 2*bytes > most {
		return fault.As(fault.User, fmt.Errorf("a record of %d bytes: %w", bytes, &budget.TooLargeError{Bytes: 2 * bytes, Share: most}))
	}
	w.share.Must(2 * bytes)
	return nil
}

// letGo returns what the Writer holds of the Store's memory.
func (w *Writer) letGo() {
	w.store.budget.give(w.held)
	w.held = 0
}

// end drops the Writer's memory and refuses further use.
func (w *Writer) end() {
	w.err = errEnded
	for _, p := range w.ports {
		p.blocks = nil
	}
	w.ports, w.arena = nil, nil
	w.reserve(0)
}

// encode makes the rows of b a frame: in memory if the budget grants that, else in the arena, to be spilled.
func (w *Writer) encode(p *Port, b *block) error {
	if b.builder == nil || b.builder.Rows() == 0 {
		return nil
	}
	start := len(w.arena)
	var err error
	if w.arena, err = p.encoder.Append(w.arena, b.builder.Record()); err != nil {
		if errors.Is(err, frame.ErrTooLarge) {
			err = fault.As(fault.User, err)
		}
		return err
	}
	encoded := w.arena[start:]
	n := int64(len(encoded))
	b.frameRows += int64(b.builder.Rows())
	b.bytes += n
	b.builder.Reset()
	w.metrics.BytesOut += n
	w.metrics.ShuffleBytes += n
	if kept := n + frameListBytes; w.store.budget.take(kept) {
		w.held += kept
		w.arena = w.arena[:start]
		b.frames = append(b.frames, bytes.Clone(encoded))
		return nil
	}
	b.frames = append(b.frames, encoded)
	if w.held > 0 || len(w.arena) >= arenaBytes {
		return w.spill()
	}
	return nil
}

// spill writes all frames to the file, as one segment, and gives back the memory that they took.
func (w *Writer) spill() error {
	chunks, _ := w.segment()
	if len(chunks) == 0 {
		return nil
	}
	w.list(int64(len(chunks)) * extentListBytes)
	w.spilled = true
	start := time.Now()
	if err := w.do(func() error { return w.file.append(chunks) }); err != nil {
		return fmt.Errorf("spill shuffle output: %w", err)
	}
	w.wrote(start)
	w.letGo()
	w.arena = w.arena[:0]
	if cap(w.arena) > 4*arenaBytes {
		w.arena = nil
	}
	return nil
}

// segment makes all frames extents behind what the file has already, and returns what is to be appended to it, and where
// it then ends.
func (w *Writer) segment() (chunks [][]byte, end int64) {
	end = w.file.size
	for _, p := range w.ports {
		for i := range p.blocks {
			b := &p.blocks[i]
			if len(b.frames) == 0 {
				continue
			}
			e := extent.New(end, b.frames, b.frameRows)
			end += e.Length()
			chunks = append(chunks, b.frames...)
			chunks = append(chunks, frame.AppendEnd(nil, int64(len(b.frames)), b.frameRows))
			b.extents = append(b.extents, e)
			b.frames, b.frameRows = nil, 0
		}
	}
	return chunks, end
}

// relieve brings the builders down to half of what they may hold together, largest first.
func (w *Writer) relieve() error {
	type candidate struct {
		port  *Port
		block *block
	}
	var full []candidate
	for _, p := range w.ports {
		for i := range p.blocks {
			switch b := &p.blocks[i]; {
			case b.builder == nil:
			case b.builder.Rows() == 0:
				w.free(b)
			default:
				full = append(full, candidate{p, b})
			}
		}
	}
	slices.SortFunc(full, func(a, b candidate) int { return cmp.Compare(b.block.capacity, a.block.capacity) })
	for _, c := range full {
		if w.buffered <= w.bufferBytes/2 {
			return nil
		}
		if err := w.encode(c.port, c.block); err != nil {
			return err
		}
		w.free(c.block)
	}
	return nil
}

// free lets go of the memory of b's builder, which is empty.
func (w *Writer) free(b *block) {
	if b.builder != nil {
		b.builder.Free()
		w.buffered -= b.capacity
		b.capacity = 0
	}
}

// wrote counts what has gone to a file in the Store's directory since start.
func (w *Writer) wrote(start time.Time) {
	w.metrics.Spills++
	w.metrics.SpillWaitNanos += time.Since(start).Nanoseconds()
	w.metrics.SpilledBytes = w.file.size
}

// do runs fn, which uses the Writer's memory and file, on an I/O goroutine. It returns after fn has, even if the coroutine
// is cancelled or unwound meanwhile.
func (w *Writer) do(fn func() error) error {
	call := coro.Go(w.c, func() (struct{}, error) { return struct{}{}, fn() })
	defer coro.Join(w.c, call) //nolint:errcheck // Await returns its error
	_, err := coro.Await(w.c, call)
	return err
}
