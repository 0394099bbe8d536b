package exec

import (
	"io"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

// Sort feeds the records of src to out in the order of their keys, those with equal keys in the order in which they came:
// from memory if the task's share grants that, else by a merge of spilled runs.
func Sort[T any](t *Task, node int, src Source, codec *batch.Codec[T], key OrderKey[T], out func(T) bool) error {
	s := newSorter(t, node, codec, key)
	defer s.release()
	if err := s.collect(src); err != nil {
		return err
	}
	return s.feed(func(rec *T) bool {
		t.advance()
		return out(*rec)
	})
}

// sorter sorts records of type T. It keeps batches as they come and sorts the numbers of their rows, in pieces that fit into a
// processor's cache, which also bounds what sorting takes beside the rows. They are merged as they are read.
type sorter[T any] struct {
	task   *Task
	codec  *batch.Codec[T]
	key    OrderKey[T]
	held   []heldBatch[T]
	pieces [][]ranked // of rows of held, each sorted, those of earlier rows first
	fresh  []ranked   // rows behind those, not sorted yet
	bytes  int64      // of held
	taken  int64      // of the task's share for fresh
	runs   runs[T]    // what was spilled

	counted bool // batches are of the task's memory, which counts them

	some    []ranked // rows that are decoded to vector
	vector  []T
	scratch []byte // a key
}

// pieceRows is how many rows make a piece: one and its copy are 2 MiB.
const pieceRows = 1 << 16

// rankedBytes is what a ranked takes.
const rankedBytes = 16

func newSorter[T any](t *Task, node int, codec *batch.Codec[T], key OrderKey[T]) *sorter[T] {
	return &sorter[T]{
		task: t, codec: codec, key: key, some: make([]ranked, vectorRows), vector: make([]T, vectorRows),
		runs: runs[T]{task: t, node: node, codec: codec, key: key},
	}
}

// collect takes all records of src.
func (s *sorter[T]) collect(src Source) error {
	for {
		rec, err := s.task.next(src)
		if err == io.EOF { //nolint:errorlint // see vectors
			s.task.row = -1
			return nil
		}
		if err != nil {
			return err
		}
		s.task.metrics.RowsIn += rec.NumRows()
		s.task.Progress.Rows.Add(rec.NumRows())
		if err := s.add(rec); err != nil {
			return err
		}
	}
}

// add takes a batch over. If memory is short, what was held before is spilled.
func (s *sorter[T]) add(rec arrow.Record) error { return s.adopt(rec, 0, s.task.grant) }

// adopt is add for a batch of which so many bytes have been taken from the share. What is missing is taken by grant, as
// Task.grant does.
func (s *sorter[T]) adopt(rec arrow.Record, taken int64, grant func(n, held int64) (bool, error)) error {
	s.held = append(s.held, heldBatch[T]{rec: rec, decoder: s.codec.NewDecoder(), taken: taken})
	b := &s.held[len(s.held)-1]
	if err := b.decoder.Reset(rec); err != nil {
		return s.task.blame(err, nil)
	}
	s.rank(b)
	s.takeFresh()
	n, held := b.bytes()-taken, s.bytes
	s.bytes += b.bytes()
	if s.counted {
		n -= batch.SizeOf(rec)
	}
	granted, err := grant(n, held)
	if err == nil && !granted {
		if err = s.spill(len(s.held) - 1); err == nil {
			_, err = grant(n, 0)
		}
	}
	if err != nil {
		return err
	}
	s.held[len(s.held)-1].taken += n
	if len(s.fresh) >= pieceRows {
		s.cut()
	}
	return nil
}

// rank makes the rows of the last batch fresh.
func (s *sorter[T]) rank(b *heldBatch[T]) {
	t, n := s.task, b.decoder.Len()
	at := uint64(len(s.held)-1) << 32
	for from := 0; from < n; from += len(s.vector) {
		rows := s.vector[:min(len(s.vector), n-from)]
		b.decoder.Read(rows, from)
		for i := range rows {
			t.advance()
			t.row = from + i
			s.scratch = s.key(s.scratch[:0], &rows[i])
			s.fresh = append(s.fresh, ranked{prefixOf(s.scratch), at | uint64(from+i)})
			b.addTail(s.scratch)
		}
	}
}

// takeFresh takes what the list of fresh rows has grown by.
func (s *sorter[T]) takeFresh() {
	n := int64(cap(s.fresh)) * rankedBytes
	s.task.Share.Must(max(n-s.taken, 0))
	s.taken = max(n, s.taken)
}

func (s *sorter[T]) dropFresh() {
	s.task.Share.Give(s.taken)
	s.fresh, s.taken = nil, 0
}

// cut makes a piece of the fresh rows.
func (s *sorter[T]) cut() {
	if len(s.fresh) == 0 {
		return
	}
	piece := slices.Clone(s.fresh)
	by := sorting{pause: s.task.pause, scratch: s.fresh, tail: s.tails()}
	by.sort(piece)
	s.pieces = append(s.pieces, piece)
	s.fresh = s.fresh[:0]
}

// tails returns the function that finds the tail of a row's key, nil if no row has one.
func (s *sorter[T]) tails() func(at uint64) []byte {
	if !slices.ContainsFunc(s.held, func(b heldBatch[T]) bool { return b.ends != nil }) {
		return nil
	}
	return func(at uint64) []byte { return s.held[at>>32].tail(uint32(at)) }
}

// sorted returns all rows that are held, in order.
func (s *sorter[T]) sorted() *pieces {
	s.cut()
	return newPieces(s.pieces, s.tails())
}

// decode returns the records of the next rows; there are none behind the last one.
func (s *sorter[T]) decode(rows *pieces) []T {
	n := rows.read(s.some)
	for i, it := range s.some[:n] {
		s.held[it.at>>32].decoder.Read(s.vector[i:i+1], int(uint32(it.at)))
	}
	return s.vector[:n]
}

// emit calls f with each record that is held, in order, until f returns false.
func (s *sorter[T]) emit(f func(rec *T) bool) {
	for rows := s.sorted(); ; {
		recs := s.decode(rows)
		for i := range recs {
			if !f(&recs[i]) {
				return
			}
		}
		if len(recs) == 0 {
			return
		}
	}
}

// spillAll writes all that is held as a run.
func (s *sorter[T]) spillAll() error { return s.spill(len(s.held)) }

// spill writes the first batches, all or all but the last one, as a run and lets go of them.
func (s *sorter[T]) spill(batches int) error {
	if batches == 0 {
		return nil
	}
	rest := slices.Clone(s.held[batches:])
	last := len(s.fresh)
	for i := range rest {
		last -= rest[i].decoder.Len()
	}
	kept := slices.Clone(s.fresh[last:])
	s.fresh = s.fresh[:last]
	err := s.runs.spill(func(add func(T)) {
		s.emit(func(rec *T) bool { add(*rec); return true })
	})
	if err != nil {
		return err
	}
	s.let(s.held[:batches])
	s.held, s.pieces = append(s.held[:0], rest...), nil
	s.fresh = s.fresh[:0]
	for _, it := range kept {
		s.fresh = append(s.fresh, ranked{it.prefix, uint64(uint32(it.at))})
	}
	if len(kept) == 0 {
		s.dropFresh()
	}
	return nil
}

// feed calls f with each record in order, until f returns false.
func (s *sorter[T]) feed(f func(rec *T) bool) error {
	if len(s.runs.all) == 0 {
		s.emit(f)
		return nil
	}
	open, err := s.open()
	if err != nil {
		return err
	}
	return merge(s.task, open, func(rec *T, _ []byte, _ int) bool { return f(rec) })
}

// open opens the runs and what is held behind them. That is spilled too where the share does not grant the memory for
// reading them beside it.
func (s *sorter[T]) open() ([]cursor[T], error) {
	read := s.runs.reading()
	if !s.task.Share.Take(read.bytes()) {
		if err := s.spillAll(); err != nil {
			return nil, err
		}
		return s.runs.openFew()
	}
	open, err := s.runs.openRead(read)
	if err != nil {
		return nil, err
	}
	return append(open, &heldCursor[T]{sorter: s, pieces: s.sorted()}), nil
}

// let lets go of batches.
func (s *sorter[T]) let(batches []heldBatch[T]) {
	var n int64
	for i := range batches {
		n += batches[i].taken
		s.bytes -= batches[i].bytes()
		batches[i].rec.Release()
		batches[i] = heldBatch[T]{}
	}
	s.task.Share.Give(n)
}

// release lets go of everything.
func (s *sorter[T]) release() {
	s.let(s.held)
	s.held, s.pieces = nil, nil
	s.dropFresh()
}

// heldCursor is the cursor over what a sorter holds.
type heldCursor[T any] struct {
	sorter *sorter[T]
	pieces *pieces
	recs   []T
	at     int    // within recs
	buf    []byte // the key of recs[at]
}

func (c *heldCursor[T]) next() (bool, error) {
	if c.at++; c.at >= len(c.recs) {
		if c.recs, c.at = c.sorter.decode(c.pieces), 0; len(c.recs) == 0 {
			return false, nil
		}
	}
	c.buf = c.sorter.key(c.buf[:0], &c.recs[c.at])
	return true, nil
}

func (c *heldCursor[T]) key() []byte { return c.buf }
func (c *heldCursor[T]) record() *T  { return &c.recs[c.at] }
func (c *heldCursor[T]) close()      {} // the sorter lets go

// heldBatch is a batch with what its rows' keys have beyond their prefixes.
type heldBatch[T any] struct {
	rec     arrow.Record
	decoder *batch.Decoder[T]
	taken   int64 // of the task's share
	rows    int   // whose tails have been added
	// tails are those of the rows one after the other, ends where each of them ends; empty if no key is longer than its
	// prefix. (Of a shorter one nothing is missing, as no key is the beginning of another.)
	tails []byte
	ends  []uint32
}

// addTail adds the tail of the next row's key.
func (b *heldBatch[T]) addTail(key []byte) {
	b.rows++
	if len(key) <= wordBytes && b.ends == nil {
		return
	}
	tail := key[min(wordBytes, len(key)):]
	if b.ends == nil {
		n := b.decoder.Len()
		b.ends, b.tails = make([]uint32, b.rows-1, n), make([]byte, 0, min(n*len(tail), int(batch.SizeOf(b.rec))))
	}
	b.tails = append(b.tails, tail...)
	b.ends = append(b.ends, uint32(len(b.tails)))
}

// tail returns the tail of a row's key.
func (b *heldBatch[T]) tail(row uint32) []byte {
	if b.ends == nil {
		return nil
	}
	start := uint32(0)
	if row > 0 {
		start = b.ends[row-1]
	}
	return b.tails[start:b.ends[row]]
}

// bytes returns what the batch takes while it is held and sorted, beside its place among fresh rows.
func (b *heldBatch[T]) bytes() int64 {
	return batch.SizeOf(b.rec) + int64(b.rows*rankedBytes+cap(b.tails)+4*cap(b.ends))
}
