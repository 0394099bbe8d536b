package exec

import (
	"encoding/binary"
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

// sorter sorts records of type T. It keeps batches as they come and sorts the numbers of their rows.
type sorter[T any] struct {
	task  *Task
	codec *batch.Codec[T]
	key   OrderKey[T]
	held  []heldBatch[T]
	runs  runs[T] // what was spilled

	vector  []T
	scratch []byte // a key
}

func newSorter[T any](t *Task, node int, codec *batch.Codec[T], key OrderKey[T]) *sorter[T] {
	return &sorter[T]{
		task: t, codec: codec, key: key, vector: make([]T, vectorRows),
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
func (s *sorter[T]) add(rec arrow.Record) error { return s.adopt(rec, 0, s.task.await) }

// adopt is add for a batch of which so many bytes have been taken from the share. Await gets what is missing where it is
// not granted though nothing else is held.
func (s *sorter[T]) adopt(rec arrow.Record, taken int64, await func(int64) error) error {
	s.held = append(s.held, heldBatch[T]{rec: rec, decoder: s.codec.NewDecoder(), taken: taken})
	last := len(s.held) - 1
	b := &s.held[last]
	if err := b.decoder.Reset(rec); err != nil {
		return s.task.blame(err, nil)
	}
	s.keysOf(b)
	n := b.bytes() - taken
	if !s.task.Share.Take(n) {
		if err := s.spill(last); err != nil {
			return err
		}
		if err := await(n); err != nil {
			return err
		}
	}
	s.held[len(s.held)-1].taken += n
	return nil
}

// keysOf computes the keys of a batch.
func (s *sorter[T]) keysOf(b *heldBatch[T]) {
	t, n := s.task, b.decoder.Len()
	b.prefixes = make([]uint64, n)
	for from := 0; from < n; from += len(s.vector) {
		rows := s.vector[:min(len(s.vector), n-from)]
		b.decoder.Read(rows, from)
		for i := range rows {
			t.advance()
			t.row = from + i
			s.scratch = s.key(s.scratch[:0], &rows[i])
			b.setKey(from+i, s.scratch)
		}
	}
}

// sorted returns the rows of the first batches in order.
func (s *sorter[T]) sorted(batches int) []ranked {
	held := s.held[:batches]
	rows := 0
	for i := range held {
		rows += len(held[i].prefixes)
	}
	items := make([]ranked, 0, rows)
	for i := range held {
		for row, prefix := range held[i].prefixes {
			items = append(items, ranked{prefix, uint64(i)<<32 | uint64(row)})
		}
	}
	by := sorting{pause: s.task.pause}
	if slices.ContainsFunc(held, func(b heldBatch[T]) bool { return b.ends != nil }) {
		by.key = func(at uint64) []byte { return held[at>>32].key(uint32(at)) }
	}
	by.sort(items)
	return items
}

// emit decodes rows and calls f with each, until f returns false.
func (s *sorter[T]) emit(items []ranked, f func(rec *T) bool) bool {
	for len(items) > 0 {
		some := items[:min(len(items), len(s.vector))]
		items = items[len(some):]
		for i, it := range some {
			s.held[it.at>>32].decoder.Read(s.vector[i:i+1], int(uint32(it.at)))
		}
		for i := range some {
			if !f(&s.vector[i]) {
				return false
			}
		}
	}
	return true
}

// spillAll writes all that is held as a run.
func (s *sorter[T]) spillAll() error { return s.spill(len(s.held)) }

// spill writes the first batches as a run and lets go of them.
func (s *sorter[T]) spill(batches int) error {
	if batches == 0 {
		return nil
	}
	err := s.runs.spill(func(add func(T)) {
		s.emit(s.sorted(batches), func(rec *T) bool { add(*rec); return true })
	})
	if err != nil {
		return err
	}
	rest := s.held[batches:]
	s.let(s.held[:batches])
	s.held = append(s.held[:0], rest...)
	return nil
}

// feed calls f with each record in order, until f returns false.
func (s *sorter[T]) feed(f func(rec *T) bool) error {
	if len(s.runs.all) == 0 {
		s.emit(s.sorted(len(s.held)), f)
		return nil
	}
	if err := s.spillAll(); err != nil {
		return err
	}
	open, err := s.runs.openFew()
	if err != nil {
		return err
	}
	return merge(s.task, open, func(rec *T, _ []byte, _ int) bool { return f(rec) })
}

// let lets go of batches.
func (s *sorter[T]) let(batches []heldBatch[T]) {
	var n int64
	for i := range batches {
		n += batches[i].taken
		batches[i].rec.Release()
		batches[i] = heldBatch[T]{}
	}
	s.task.Share.Give(n)
}

// release lets go of everything.
func (s *sorter[T]) release() {
	s.let(s.held)
	s.held = nil
}

// heldBatch is a batch with the keys of its rows.
type heldBatch[T any] struct {
	rec      arrow.Record
	decoder  *batch.Decoder[T]
	taken    int64 // of the task's share
	prefixes []uint64
	// keys are the whole keys one after the other, ends where each of them ends; empty if none is longer than its prefix.
	// A shorter one has zeroes behind it as its prefix has, which changes nothing, as no key is the beginning of another.
	keys []byte
	ends []uint32
}

// setKey sets the key of a row; they come in the order of the rows.
func (b *heldBatch[T]) setKey(row int, key []byte) {
	b.prefixes[row] = prefixOf(key)
	if len(key) <= wordBytes && b.ends == nil {
		return
	}
	if b.ends == nil {
		b.begin(row, len(key))
	}
	b.keys = append(b.keys, key...)
	b.keys = append(b.keys, zeroes[:max(wordBytes-len(key), 0)]...)
	b.ends = append(b.ends, uint32(len(b.keys)))
}

var zeroes [wordBytes]byte

// begin starts to keep whole keys: those before row are their prefixes.
func (b *heldBatch[T]) begin(row, keyBytes int) {
	n := len(b.prefixes)
	b.ends, b.keys = make([]uint32, row, n), make([]byte, row*wordBytes, n*keyBytes+n*keyBytes/8)
	for i, prefix := range b.prefixes[:row] {
		binary.BigEndian.PutUint64(b.keys[i*wordBytes:], prefix)
		b.ends[i] = uint32((i + 1) * wordBytes)
	}
}

// key returns the whole key of a row.
func (b *heldBatch[T]) key(row uint32) []byte {
	if b.ends == nil {
		return binary.BigEndian.AppendUint64(nil, b.prefixes[row])
	}
	start := uint32(0)
	if row > 0 {
		start = b.ends[row-1]
	}
	return b.keys[start:b.ends[row]]
}

// bytes returns what the batch takes while it is held and sorted.
func (b *heldBatch[T]) bytes() int64 {
	const perRow = 8 + 2*16 // the prefix, and the row's place in the list that is sorted and in its copy
	return batch.SizeOf(b.rec) + int64(len(b.prefixes)*perRow+cap(b.keys)+4*cap(b.ends))
}
