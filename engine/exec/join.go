package exec

import (
	"io"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

// Join says how two partitions of records with keys are joined: how they are encoded, and what is handed on. What is not
// wanted is nil. The functions return false when no more is wanted. The order in which they are called has no meaning: it
// depends on which side is in memory.
type Join[K, V, W any] struct {
	Node  int
	Left  *batch.Codec[batch.KV[K, V]]
	Right *batch.Codec[batch.KV[K, W]]
	Keyer func() *batch.Keyer[K] // a new one

	Pair       func(k K, v V, w W) bool // each left record with each right record of its key
	Matched    func(k K, v V) bool      // each left record whose key stands on the right
	LeftAlone  func(k K, v V) bool      // each left record whose key does not
	RightAlone func(k K, w W) bool      // each right record whose key does not stand on the left
}

// Run joins two sources. It reads them in turn, as much of one as of the other, until one has ended: that is the smaller
// one, which is then in memory, while the other one streams past a table of its keys. If the share does not grant that,
// both are sorted and merged.
func (j *Join[K, V, W]) Run(t *Task, left, right Source) error {
	l, r := &held[batch.KV[K, V]]{task: t, src: left}, &held[batch.KV[K, W]]{task: t, src: right}
	defer l.release()
	defer r.release()
	for !l.ended && !r.ended {
		fill := r.fill
		if l.bytes < r.bytes {
			fill = l.fill
		}
		switch granted, err := fill(); {
		case err != nil:
			return err
		case !granted:
			return j.sorted(t, l, r)
		}
	}
	if r.ended && r.reserve() {
		return hashJoin(t, j.Keyer(), r, l, j.Right, j.Left, roles[K, W, V]{
			pair: j.Pair, probeMatched: j.Matched, probeAlone: j.LeftAlone, buildAlone: j.RightAlone,
		})
	}
	if l.ended && l.reserve() {
		return hashJoin(t, j.Keyer(), l, r, j.Left, j.Right, j.swapped())
	}
	return j.sorted(t, l, r)
}

// swapped returns what is handed on where the left side is in memory.
func (j *Join[K, V, W]) swapped() roles[K, V, W] {
	s := roles[K, V, W]{probeAlone: j.RightAlone, buildMatched: j.Matched, buildAlone: j.LeftAlone}
	if j.Pair != nil {
		s.pair = func(k K, w W, v V) bool { return j.Pair(k, v, w) }
	}
	return s
}

// held is one side, of which the first batches are in memory as they came.
type held[T any] struct {
	task    *Task
	src     Source
	batches []arrow.Record
	rows    int64
	bytes   int64 // of batches
	taken   int64 // of the task's share
	ended   bool  // src has no more
}

// fill reads one more batch. It returns false if the share does not grant it; the batch is then held all the same.
func (h *held[T]) fill() (granted bool, err error) {
	rec, err := h.task.next(h.src)
	if err == io.EOF { //nolint:errorlint // see vectors
		h.ended = true
		return true, nil
	}
	if err != nil {
		return false, err
	}
	h.batches = append(h.batches, rec)
	n := batch.SizeOf(rec)
	h.bytes += n
	h.rows += rec.NumRows()
	if granted = h.task.Share.Take(n); granted {
		h.taken += n
	}
	return granted, nil
}

// reserve takes what a table of all rows needs, if the share grants it.
func (h *held[T]) reserve() bool {
	// A row's group and place; of the group, where it begins, whether it has matched, and its slot in a table that is
	// between three eighths and three quarters full. A long key may be copied.
	const perRow = 4 + 8 + 16 + 1 + 64
	n := perRow*h.rows + h.bytes
	if !h.task.Share.Take(n) {
		return false
	}
	h.taken += n
	return true
}

// Next returns what is held, and then what src has; it does not hold that.
func (h *held[T]) Next() (arrow.Record, error) {
	if len(h.batches) > 0 {
		rec := h.batches[0]
		h.batches = h.batches[1:]
		return rec, nil
	}
	if h.ended {
		return nil, io.EOF
	}
	return h.src.Next()
}

// Position is that of src: of what it has yielded last.
func (h *held[T]) Position(row int) string { return h.src.Position(row) }

// Close does nothing: src is its owner's.
func (h *held[T]) Close() error { return nil }

// release lets go of what is held.
func (h *held[T]) release() {
	for _, rec := range h.batches {
		rec.Release()
	}
	h.batches = nil
	h.task.Share.Give(h.taken)
	h.taken = 0
}

// roles are what a join hands on, by which side is in memory (build) and which one streams (probe).
type roles[K, B, P any] struct {
	pair                     func(K, P, B) bool
	probeMatched, probeAlone func(K, P) bool
	buildMatched, buildAlone func(K, B) bool
}

// hashJoin joins a side that is held as a whole, and what its table takes reserved, with another one.
func hashJoin[K, B, P any](t *Task, keyer *batch.Keyer[K], build *held[batch.KV[K, B]], probe *held[batch.KV[K, P]],
	buildCodec *batch.Codec[batch.KV[K, B]], probeCodec *batch.Codec[batch.KV[K, P]], r roles[K, B, P]) error {
	h, err := newHashed(t, keyer, build, buildCodec, r)
	defer h.build.release()
	if err != nil {
		return err
	}
	t.row = -1
	more := true
	err = vectors(t, probe, probeCodec, func(rows []batch.KV[K, P], _ int) bool {
		more = h.probe(rows)
		return more
	})
	if err == nil && more {
		h.rest()
	}
	return err
}

// newHashed makes the table of a side that is held as a whole. It is not nil where there is an error.
func newHashed[K, B, P any](
	t *Task, keyer *batch.Keyer[K], build *held[batch.KV[K, B]], codec *batch.Codec[batch.KV[K, B]], r roles[K, B, P],
) (*hashed[K, B, P], error) {
	h := &hashed[K, B, P]{task: t, keyer: keyer, exact: keyer.Exact(), roles: r}
	h.build = newGroups(t, codec, keyer, newTable[uint32](nil, slotsFor(build.rows), aggregating))
	if err := h.build.collect(build); err != nil {
		return h, err
	}
	h.build.sort()
	h.matched = make([]bool, h.build.table.Len())
	return h, nil
}

// slotsFor returns how many slots a table needs for so many keys.
func slotsFor(keys int64) int {
	slots := minSlots
	for int64(slots-slots/4) < keys+vectorRows {
		slots *= 2
	}
	return slots
}

// hashed is a hash join at work.
type hashed[K, B, P any] struct {
	task    *Task
	keyer   *batch.Keyer[K]
	exact   bool // equal keys are identical
	roles   roles[K, B, P]
	build   *groups[K, B]
	matched []bool // by group of build

	vector batch.Vector
	at     [vectorRows]uint32
	found  [vectorRows]bool
	kv     batch.KV[K, B]
}

// probe joins a few records of the side that streams. It returns false if no more is wanted.
func (h *hashed[K, B, P]) probe(rows []batch.KV[K, P]) bool {
	h.keyer.Normalise(&h.vector, &rows[0].Key, unsafe.Sizeof(rows[0]), len(rows))
	h.build.table.Find(&h.vector, h.at[:], h.found[:])
	for i := range rows {
		h.task.advance()
		kv := &rows[i]
		if !h.found[i] {
			if h.roles.probeAlone != nil && !h.roles.probeAlone(kv.Key, kv.Value) {
				return false
			}
			continue
		}
		if !h.match(kv, h.at[i]) {
			return false
		}
	}
	return true
}

// match joins a record with the group at a place of the table.
func (h *hashed[K, B, P]) match(kv *batch.KV[K, P], place uint32) bool {
	group := *h.build.table.Acc(place)
	h.matched[group] = true
	if h.roles.probeMatched != nil && !h.roles.probeMatched(kv.Key, kv.Value) {
		return false
	}
	if h.roles.pair == nil {
		return true
	}
	key := h.key(kv.Key, place)
	for _, id := range h.build.rowsOf(group) {
		h.task.pause()
		h.build.value(id, &h.kv)
		if !h.roles.pair(key, kv.Value, h.kv.Value) {
			return false
		}
	}
	return true
}

// key returns the key of a pair: the same one whichever side is in memory.
func (h *hashed[K, B, P]) key(k K, place uint32) K {
	if h.exact {
		return k
	}
	return h.keyer.Decode(h.build.table.Key(place))
}

// rest hands on the records in memory by whether they have matched.
func (h *hashed[K, B, P]) rest() {
	if h.roles.buildMatched == nil && h.roles.buildAlone == nil {
		return
	}
	b := h.build
	for _, place := range b.table.Places() {
		group := *b.table.Acc(place)
		out := h.roles.buildAlone
		if h.matched[group] {
			out = h.roles.buildMatched
		}
		if out == nil {
			continue
		}
		for _, id := range b.rowsOf(group) {
			h.task.advance()
			row := []batch.KV[K, B]{{}}
			b.decoders[id.record].Read(row, int(id.row))
			if !out(row[0].Key, row[0].Value) {
				return
			}
		}
	}
}
