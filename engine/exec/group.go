package exec

import (
	"iter"

	"fletch/engine/batch"
)

// Group collects the records of one partition and calls out with each key and its values, in the order in which these
// came: keys in increasing order, or in that of their hashes, which is as fixed. The values can be ranged over once, before
// out returns; they stream from the disk where the task's share does not grant to hold all records.
func Group[K, V any](
	t *Task, node int, src Source, codec *batch.Codec[batch.KV[K, V]], keyer *batch.Keyer[K], ordered bool, out func(K, iter.Seq[V]) bool,
) error {
	g := newGrouper(t, node, codec, keyer, ordered)
	defer g.release()
	if err := g.collect(src); err != nil {
		return err
	}
	if err := reserveSides(t, g); err != nil {
		return err
	}
	groups, err := g.open()
	if err != nil {
		return err
	}
	for groups.more {
		t.advance()
		if !out(groups.key(), groups.values()) {
			break
		}
		if err := groups.next(); err != nil {
			return err
		}
	}
	g.drop()
	return nil
}

// CoGroup says how two partitions of records with keys are grouped together.
type CoGroup[K, V, W any] struct {
	Node    int
	Left    *batch.Codec[batch.KV[K, V]]
	Right   *batch.Codec[batch.KV[K, W]]
	Keyer   func() *batch.Keyer[K] // a new one
	Ordered bool                   // as Group's
}

// Run calls out as Group does with each key that is on either side, and with its values on both. A sequence is empty where
// a side lacks the key.
func (c *CoGroup[K, V, W]) Run(t *Task, left, right Source, out func(K, iter.Seq[V], iter.Seq[W]) bool) error {
	l, r := newGrouper(t, c.Node, c.Left, c.Keyer(), c.Ordered), newGrouper(t, c.Node, c.Right, c.Keyer(), c.Ordered)
	defer l.release()
	defer r.release()
	if err := l.collect(left); err != nil {
		return err
	}
	r.beside = l
	if err := r.collect(right); err != nil {
		return err
	}
	if err := reserveSides(t, l, r); err != nil {
		return err
	}
	lefts, err := l.open()
	if err != nil {
		return err
	}
	rights, err := r.open()
	if err != nil {
		return err
	}
	if err := zip(t, lefts, rights, out); err != nil {
		return err
	}
	l.drop()
	r.drop()
	return nil
}

// zip calls out with the groups of two streams, with those of equal keys together.
func zip[K, V, W any](t *Task, lefts *groupStream[K, V], rights *groupStream[K, W], out func(K, iter.Seq[V], iter.Seq[W]) bool) error {
	for lefts.more || rights.more {
		t.advance()
		order := compareStreams(lefts, rights)
		var key K
		vs, ws := noValues[V](), noValues[W]()
		if order >= 0 {
			key, ws = rights.key(), rights.values()
		}
		if order <= 0 {
			key, vs = lefts.key(), lefts.values()
		}
		if !out(key, vs, ws) {
			return nil
		}
		if order >= 0 {
			if err := rights.next(); err != nil {
				return err
			}
		}
		if order <= 0 {
			if err := lefts.next(); err != nil {
				return err
			}
		}
	}
	return nil
}
