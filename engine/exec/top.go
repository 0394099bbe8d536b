package exec

import (
	"bytes"
	"cmp"
	"container/heap"
	"slices"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

// OrderKey appends to dst bytes of rec that compare as records are ordered. Of two keys that differ, none is the beginning
// of the other.
type OrderKey[T any] func(dst []byte, rec *T) []byte

// WriteTop returns the stream that writes the first n of its records, in their order, to the one partition.
func WriteTop[T any](t *Task, node int, port Port, codec *batch.Codec[T], n int, key OrderKey[T]) Stream {
	top := newTop(t, node, codec, n, key)
	e := newEncoder(t, node, port, codec)
	return Stream{Consume: func(rec T) bool { top.add(rec); return n > 0 }, Finish: func() error {
		err := top.feed(func(rec *T) bool {
			e.parts = append(e.parts, 0)
			e.add(*rec)
			return true
		})
		if err != nil {
			return err
		}
		return e.finish()
	}}
}

// PullTop feeds the first n records of src to out, in their order.
func PullTop[T any](t *Task, node int, src Source, codec *batch.Codec[T], n int, key OrderKey[T], out func(T) bool) error {
	top := newTop(t, node, codec, n, key)
	if err := Pull(t, src, codec, func(rec T) bool { top.add(rec); return n > 0 }); err != nil {
		return err
	}
	t.row = -1
	return top.feed(func(rec *T) bool {
		t.advance()
		return out(*rec)
	})
}

// top keeps the n first records in a heap with the last of them at its root. Among equals the earlier one is first. What it
// keeps it copies, a few records at a time, as a string is a view of the whole batch that it came in. Where the task's
// share does not grant that, all further records are sorted, with spill, and the first n of them are taken.
type top[T any] struct {
	task  *Task
	node  int
	codec *batch.Codec[T]
	n     int
	key   OrderKey[T]

	items   []topItem[T]
	heap    []int32 // items, the last one in the order first
	seen    int64
	rec     T      // the one at work: here it has an address without an allocation
	scratch []byte // its key

	fresh    []int32 // items that have not been copied
	copies   []arrow.Record
	copied   int64 // bytes of copies
	needed   int64 // bytes of copies after the last time that all items were copied
	keyBytes int64
	taken    int64 // of the share, beside the copies: the task's memory counts these
	builder  *batch.Builder[T]

	sorted *sorter[T]  // nil while memory suffices
	out    *encoder[T] // to sorted
}

type topItem[T any] struct {
	rec   T
	key   []byte
	seq   int64
	fresh bool // see top.fresh
}

const (
	// topFresh is how many records wait to be copied: they may keep as many batches alive.
	topFresh = 64
	// topSlack is by how much the copies may pass twice what is needed of them.
	topSlack = 1 << 20
)

func newTop[T any](t *Task, node int, codec *batch.Codec[T], n int, key OrderKey[T]) *top[T] {
	h := &top[T]{task: t, node: node, codec: codec, n: n, key: key, builder: codec.NewBuilder(t.Memory)}
	t.atEnd = append(t.atEnd, h.release)
	return h
}

func (h *top[T]) add(rec T) {
	if h.sorted != nil {
		h.out.add(rec)
		return
	}
	h.rec = rec
	h.scratch = h.key(h.scratch[:0], &h.rec)
	h.seen++
	switch {
	case len(h.items) < h.n:
		h.items = append(h.items, topItem[T]{})
		h.set(int32(len(h.items) - 1))
		heap.Push(h, int32(len(h.items)-1))
	case h.n > 0 && bytes.Compare(h.scratch, h.items[h.heap[0]].key) < 0:
		h.set(h.heap[0])
		heap.Fix(h, 0)
	}
	if len(h.fresh) >= topFresh {
		h.task.check(h.copyFresh())
	}
}

// set makes the record at work item i.
func (h *top[T]) set(i int32) {
	item := &h.items[i]
	h.keyBytes += int64(len(h.scratch) - len(item.key))
	item.rec, item.key, item.seq = h.rec, append(item.key[:0], h.scratch...), h.seen
	if !item.fresh {
		item.fresh = true
		h.fresh = append(h.fresh, i)
	}
}

// copyFresh copies the items that have not been copied, or all of them where the copies hold too much that is not needed.
func (h *top[T]) copyFresh() error {
	if err := h.copy(h.fresh); err != nil {
		return err
	}
	h.fresh = h.fresh[:0]
	if h.copied > 2*h.needed+topSlack {
		stale := h.copies
		h.copies, h.copied = nil, 0
		if err := h.copy(h.heap); err != nil {
			return err
		}
		h.needed = h.copied
		releaseAll(stale)
	}
	return h.take()
}

// take takes what is held beside the copies, or goes over to sorting.
func (h *top[T]) take() error {
	want := h.keyBytes + int64(len(h.items))*int64(unsafe.Sizeof(h.items[0])+4)
	granted, err := h.task.grant(max(want-h.taken, 0), h.copied+h.taken)
	if err != nil {
		return err
	}
	if !granted {
		return h.overflow()
	}
	h.task.Share.Give(max(h.taken-want, 0))
	h.taken = want
	return nil
}

// copy moves items to batches of their own.
func (h *top[T]) copy(items []int32) error {
	rows := make([]T, min(len(items), topFresh)) // no more at any time: a builder's buffers are as large as the time before
	d := h.codec.NewDecoder()
	for len(items) > 0 {
		some := items[:min(len(items), len(rows))]
		items = items[len(some):]
		for i, at := range some {
			rows[i] = h.items[at].rec
		}
		if err := h.builder.Append(rows[:len(some)]); err != nil {
			return h.task.blame(err, nil)
		}
		rec := h.builder.Record()
		h.copies = append(h.copies, rec)
		h.copied += batch.SizeOf(rec)
		if err := d.Reset(rec); err != nil {
			return err
		}
		d.Read(rows[:len(some)], 0)
		for i, at := range some {
			h.items[at].rec, h.items[at].fresh = rows[i], false
		}
	}
	return nil
}

// overflow goes over to sorting all records: those that are kept are its first run, so they come before what follows among
// equals.
func (h *top[T]) overflow() error {
	h.sorted = newSorter(h.task, h.node, h.codec, h.key)
	h.sorted.counted = true
	h.out = newEncoder(h.task, h.node, portFunc(func(rec arrow.Record, _ []uint32) error {
		rec.Retain()
		return h.sorted.add(rec)
	}), h.codec)
	h.out.inner = true
	h.sortItems()
	err := h.sorted.runs.spill(func(add func(T)) {
		for i := range h.items {
			add(h.items[i].rec)
		}
	})
	h.letGo()
	return err
}

// sortItems brings the items into their order, after which they are no heap any more.
func (h *top[T]) sortItems() {
	slices.SortFunc(h.items, func(a, b topItem[T]) int {
		return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq))
	})
}

// feed calls f with each of the first n records in their order, until it returns false.
func (h *top[T]) feed(f func(rec *T) bool) error {
	if h.sorted == nil {
		h.sortItems()
		for i := range h.items {
			if !f(&h.items[i].rec) {
				break
			}
		}
		return nil
	}
	if err := h.out.finish(); err != nil {
		return err
	}
	left := h.n
	return h.sorted.feed(func(rec *T) bool {
		left--
		return f(rec) && left > 0
	})
}

// letGo drops the items.
func (h *top[T]) letGo() {
	releaseAll(h.copies)
	h.task.Share.Give(h.taken)
	h.items, h.heap, h.fresh, h.copies, h.taken = nil, nil, nil, nil, 0
}

func (h *top[T]) release() {
	h.letGo()
	h.builder.Release()
	if h.sorted != nil {
		h.sorted.release()
	}
}

func releaseAll(records []arrow.Record) {
	for _, rec := range records {
		rec.Release()
	}
}

// The methods of heap.Interface.

func (h *top[T]) Len() int { return len(h.heap) }
func (h *top[T]) Less(i, j int) bool {
	a, b := &h.items[h.heap[i]], &h.items[h.heap[j]]
	return cmp.Or(bytes.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq)) > 0
}
func (h *top[T]) Swap(i, j int) { h.heap[i], h.heap[j] = h.heap[j], h.heap[i] }
func (h *top[T]) Push(x any)    { h.heap = append(h.heap, x.(int32)) }

func (h *top[T]) Pop() any {
	last := h.heap[len(h.heap)-1]
	h.heap = h.heap[:len(h.heap)-1]
	return last
}
