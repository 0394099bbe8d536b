package exec

import (
	"bytes"
	"container/heap"
	"slices"

	"fletch/engine/batch"
)

// OrderKey appends to dst bytes of rec that compare as records are ordered.
type OrderKey[T any] func(dst []byte, rec *T) []byte

// WriteTop returns the stream that writes the first n of its records, in their order, to the one partition.
func WriteTop[T any](t *Task, node int, port Port, codec *batch.Codec[T], n int, key OrderKey[T]) Stream {
	top := &top[T]{n: n, key: key}
	e := newEncoder(t, node, port, codec)
	return Stream{Consume: func(rec T) bool { top.add(rec); return n > 0 }, Finish: func() error {
		for _, item := range top.sorted() {
			e.parts = append(e.parts, 0)
			e.add(item.rec)
		}
		return e.finish()
	}}
}

// PullTop feeds the first n records of src to out, in their order.
func PullTop[T any](t *Task, src Source, codec *batch.Codec[T], n int, key OrderKey[T], out func(T) bool) error {
	top := &top[T]{n: n, key: key}
	if err := Pull(t, src, codec, func(rec T) bool { top.add(rec); return n > 0 }); err != nil {
		return err
	}
	t.row = -1
	for _, item := range top.sorted() {
		t.advance()
		if !out(item.rec) {
			break
		}
	}
	return nil
}

// top keeps the n first records in a heap with the last of them at its root. Among equals the earlier one is first.
type top[T any] struct {
	n       int
	key     OrderKey[T]
	items   []topItem[T]
	seen    int64
	rec     T      // the one at work: here it has an address without an allocation
	scratch []byte // its key
}

type topItem[T any] struct {
	rec T
	key []byte
	seq int64
}

func (h *top[T]) add(rec T) {
	h.rec = rec
	h.scratch = h.key(h.scratch[:0], &h.rec)
	h.seen++
	if len(h.items) < h.n {
		heap.Push(h, topItem[T]{rec, bytes.Clone(h.scratch), h.seen})
		return
	}
	if h.n > 0 && bytes.Compare(h.scratch, h.items[0].key) < 0 {
		last := &h.items[0]
		last.rec, last.key, last.seq = rec, append(last.key[:0], h.scratch...), h.seen
		heap.Fix(h, 0)
	}
}

func compareItems[T any](a, b topItem[T]) int {
	if c := bytes.Compare(a.key, b.key); c != 0 {
		return c
	}
	return int(a.seq - b.seq)
}

func (h *top[T]) sorted() []topItem[T] {
	slices.SortFunc(h.items, compareItems[T])
	return h.items
}

// The methods of heap.Interface.

func (h *top[T]) Len() int           { return len(h.items) }
func (h *top[T]) Less(i, j int) bool { return compareItems(h.items[i], h.items[j]) > 0 }
func (h *top[T]) Swap(i, j int)      { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *top[T]) Push(x any)         { h.items = append(h.items, x.(topItem[T])) }

func (h *top[T]) Pop() any {
	last := h.items[len(h.items)-1]
	h.items = h.items[:len(h.items)-1]
	return last
}
