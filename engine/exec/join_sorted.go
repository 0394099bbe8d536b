package exec

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"fletch/engine/batch"
)

// sorted joins two sides of which neither fits: it sorts both by the hashes of their keys and the keys themselves, beyond
// memory by spilled runs, and merges them. Of the records of one key, those of the right side are kept, in memory or
// spilled, and read again for those of the left, so neither has to fit into memory.
func (j *Join[K, V, W]) sorted(t *Task, l *held[batch.KV[K, V]], r *held[batch.KV[K, W]]) error {
	left := newSorter(t, j.Node, j.Left, hashedOrder[K, V](j.Keyer()))
	right := newSorter(t, j.Node, j.Right, hashedOrder[K, W](j.Keyer()))
	defer left.release()
	defer right.release()
	// What is held goes to the disk first, so that who waits for memory holds little.
	if err := adoptHeld(left, l); err != nil {
		return err
	}
	if err := adoptHeld(right, r); err != nil {
		return err
	}
	if err := collectRest(left, l); err != nil {
		return err
	}
	if err := collectRest(right, r); err != nil {
		return err
	}
	t.row = -1
	lc, rc, err := openBoth(&left.runs, &right.runs)
	if err != nil {
		return err
	}
	m := &mergeJoin[K, V, W]{
		join: j, task: t, exact: j.Keyer().Exact(), keyer: j.Keyer(),
		left: side[batch.KV[K, V]]{cursor: lc}, right: side[batch.KV[K, W]]{cursor: rc},
	}
	defer lc.close()
	defer rc.close()
	m.group, m.block = newGroupStore(t, j.Node, j.Right), newGroupStore(t, j.Node, j.Left)
	m.block.small = true
	defer m.group.clear()
	defer m.block.clear()
	return m.run()
}

// adoptHeld spills what is held of a side, whose rows nobody has counted yet.
func adoptHeld[T any](s *sorter[T], h *held[T]) error {
	must := func(n, held int64) (bool, error) { // Task.grant, without waiting
		switch {
		case s.task.Share.Take(n):
		case held > 0 && !s.task.small(held+n):
			return false, nil
		default:
			s.task.Share.Must(n)
		}
		return true, nil
	}
	for len(h.batches) > 0 {
		rec := h.batches[0]
		h.batches = h.batches[1:]
		taken := min(batch.SizeOf(rec), h.taken) // nothing of the one that was refused
		h.taken -= taken
		s.task.metrics.RowsIn += rec.NumRows()
		s.task.Progress.Rows.Add(rec.NumRows())
		if err := s.adopt(rec, taken, must); err != nil {
			return err
		}
	}
	return s.spillAll()
}

// collectRest sorts what a side has besides what was held.
func collectRest[T any](s *sorter[T], h *held[T]) error {
	if h.ended {
		return nil
	}
	if err := s.collect(h.src); err != nil {
		return err
	}
	return s.spillAll()
}

// hashedOrder orders by hash, and keys of one hash by their bytes.
func hashedOrder[K, V any](keyer *batch.Keyer[K]) OrderKey[batch.KV[K, V]] {
	return func(dst []byte, kv *batch.KV[K, V]) []byte {
		start := len(dst)
		dst = keyer.Append(append(dst, make([]byte, wordBytes)...), &kv.Key)
		binary.BigEndian.PutUint64(dst[start:], batch.HashBytes(dst[start+wordBytes:]))
		return dst
	}
}

// openBoth opens the runs of two operators at once: as many as the share grants, at least two of each.
func openBoth[A, B any](a *runs[A], b *runs[B]) (cursor[A], cursor[B], error) {
	ra, rb := a.reading(), b.reading()
	if err := a.task.awaitReading(&ra, &rb); err != nil {
		return nil, nil, err
	}
	var first cursor[A]
	bytes := rb.bytes()
	defer func() { // rows may be left while runs are merged
		a.task.Share.Give(bytes)
		if first != nil {
			first.close()
		}
	}()
	open, err := a.openRead(ra)
	if err != nil {
		return nil, nil, err
	}
	first = newMerger(open)
	bytes = 0
	second, err := b.openRead(rb)
	if err != nil {
		return nil, nil, err
	}
	merged := first
	first = nil
	return merged, newMerger(second), nil
}

// side is one input of a merge join.
type side[T any] struct {
	cursor cursor[T]
	more   bool
}

func (s *side[T]) next() (err error) {
	s.more, err = s.cursor.next()
	return err
}

// mergeJoin walks two sorted sides.
type mergeJoin[K, V, W any] struct {
	join  *Join[K, V, W]
	task  *Task
	exact bool
	keyer *batch.Keyer[K]
	left  side[batch.KV[K, V]]
	right side[batch.KV[K, W]]
	of    []byte                      // the key at work
	group *groupStore[batch.KV[K, W]] // the right records of the key at work
	block *groupStore[batch.KV[K, V]] // left records of that key, where group is spilled
}

// blockBytes is about how many bytes of left records are joined at a time with a spilled group.
const blockBytes = 1 << 20

func (m *mergeJoin[K, V, W]) run() error {
	if err := m.left.next(); err != nil {
		return err
	}
	if err := m.right.next(); err != nil {
		return err
	}
	for m.left.more || m.right.more {
		m.task.advance()
		wanted, err := m.step()
		if err != nil || !wanted {
			return err
		}
	}
	return nil
}

// step hands on what the side with the smaller key has, or all that has the key of both.
func (m *mergeJoin[K, V, W]) step() (wanted bool, err error) {
	var c int
	switch {
	case !m.right.more:
		c = -1
	case !m.left.more:
		c = 1
	default:
		c = bytes.Compare(m.left.cursor.key(), m.right.cursor.key())
	}
	switch {
	case c < 0:
		kv := m.left.cursor.record()
		wanted = m.join.LeftAlone == nil || m.join.LeftAlone(kv.Key, kv.Value)
		return wanted, m.left.next()
	case c > 0:
		kv := m.right.cursor.record()
		wanted = m.join.RightAlone == nil || m.join.RightAlone(kv.Key, kv.Value)
		return wanted, m.right.next()
	}
	m.of = append(m.of[:0], m.left.cursor.key()...)
	if err := m.keep(); err != nil {
		return false, err
	}
	return m.pairs()
}

// keep takes the right records of the key at work.
func (m *mergeJoin[K, V, W]) keep() error {
	m.group.clear()
	for m.right.more && bytes.Equal(m.right.cursor.key(), m.of) {
		m.task.advance()
		if m.join.Pair != nil {
			m.group.add(*m.right.cursor.record())
		}
		if err := m.right.next(); err != nil {
			return err
		}
	}
	return m.group.end()
}

// pairs joins the left records of the key at work with those that were kept.
func (m *mergeJoin[K, V, W]) pairs() (wanted bool, err error) {
	for m.left.more && bytes.Equal(m.left.cursor.key(), m.of) {
		m.task.advance()
		kv := m.left.cursor.record()
		if m.join.Matched != nil && !m.join.Matched(kv.Key, kv.Value) {
			return false, nil
		}
		if m.join.Pair != nil {
			if wanted, err = m.pair(kv); err != nil || !wanted {
				return false, err
			}
		}
		if err := m.left.next(); err != nil {
			return false, err
		}
	}
	return m.pairBlock()
}

// pair joins one left record, at once if what was kept is in memory, else together with others.
func (m *mergeJoin[K, V, W]) pair(kv *batch.KV[K, V]) (wanted bool, err error) {
	if m.group.spilled() {
		m.block.add(*kv)
		if m.block.bytes < blockBytes {
			return true, nil
		}
		return m.pairBlock()
	}
	key := m.key(kv.Key)
	wanted = true
	err = m.group.each(func(w *batch.KV[K, W]) bool {
		m.task.pause()
		wanted = m.join.Pair(key, kv.Value, w.Value)
		return wanted
	})
	return wanted, err
}

// pairBlock joins a block of left records with all that was kept, which is read once for that.
func (m *mergeJoin[K, V, W]) pairBlock() (wanted bool, err error) {
	if m.block.empty() {
		return true, nil
	}
	if err := m.block.end(); err != nil {
		return false, err
	}
	defer m.block.clear()
	wanted = true
	var inner error
	err = m.group.each(func(w *batch.KV[K, W]) bool {
		inner = m.block.each(func(kv *batch.KV[K, V]) bool {
			m.task.pause()
			wanted = m.join.Pair(m.key(kv.Key), kv.Value, w.Value)
			return wanted
		})
		return wanted && inner == nil
	})
	return wanted, cmp.Or(inner, err)
}

// key returns the key of a pair, as a hash join does.
func (m *mergeJoin[K, V, W]) key(k K) K {
	if m.exact {
		return k
	}
	return m.keyer.Decode(string(m.of[wordBytes:]))
}
