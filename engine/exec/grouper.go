package exec

import (
	"io"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
)

// grouper collects the records of one side and yields them by their keys: in memory as far as the task's share grants that,
// beyond it in runs that were spilled.
type grouper[K, V any] struct {
	task    *Task
	groups  *groups[K, V]
	runs    runs[batch.KV[K, V]]
	ordered bool                   // by the keys, else by their hashes and then by them
	beside  collected              // the side that was collected before this one; nil where there is none
	batches int64                  // taken for the batches in memory and their rows
	last    int64                  // of it, for the last one
	read    reading                // reserved
	records cursor[batch.KV[K, V]] // all of them, once it is open
}

// collected is a grouper of any type that has all of its records.
type collected interface {
	held() int64
	spillRest() error
	reading() reading
	reserved(reading)
}

func newGrouper[K, V any](t *Task, node int, codec *batch.Codec[batch.KV[K, V]], keyer *batch.Keyer[K], ordered bool) *grouper[K, V] {
	return &grouper[K, V]{
		task: t, ordered: ordered, groups: newGroups(t, codec, keyer, newTable[uint32](t.Share, minSlots, aggregating)),
		runs: runs[batch.KV[K, V]]{task: t, node: node, codec: codec, key: keyOrder[K, V](keyer, ordered)},
	}
}

// collect takes all records of src.
func (g *grouper[K, V]) collect(src Source) error {
	for {
		rec, err := g.task.next(src)
		g.last = 0
		if err == io.EOF { //nolint:errorlint // see vectors
			return nil
		}
		if err != nil {
			return err
		}
		room := func(from int) {
			if from == 0 {
				g.task.check(g.takeBatch(rec))
			}
			g.task.check(g.takeKeys(from))
		}
		if err := g.groups.add(rec, room); err != nil {
			return err
		}
	}
}

// takeBatch takes the memory of a batch that was added and of all its rows, beside their keys.
func (g *grouper[K, V]) takeBatch(rec arrow.Record) error {
	bytes := batch.SizeOf(rec) + groupBatchBytes + rec.NumRows()*groupRowBytes
	for {
		granted, err := g.task.grant(bytes, g.mostHeld())
		if err != nil {
			return err
		}
		if granted {
			g.batches += bytes
			g.last = bytes
			return nil
		}
		if err := g.spillMost(0); err != nil {
			return err
		}
	}
}

// takeKeys makes room for the keys of the rows from a given one on of the last batch, those that have been normalised.
func (g *grouper[K, V]) takeKeys(from int) error {
	table, keys := g.groups.table, &g.groups.vector
	for !table.Room(keys) {
		var err error
		if held := g.mostHeld(); held > 0 && !g.task.small(held+table.missing(keys)) {
			err = g.spillMost(from)
		} else {
			err = table.awaitRoom(g.task, keys)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// held returns the memory that spilling gives back.
func (g *grouper[K, V]) held() int64 {
	if len(g.groups.group) == 0 {
		return 0
	}
	return g.batches - g.last + g.groups.table.taken
}

// mostHeld returns the held memory of the side that has more of it.
func (g *grouper[K, V]) mostHeld() int64 {
	if g.beside == nil {
		return g.held()
	}
	return max(g.held(), g.beside.held())
}

// spillMost spills the side that has more memory, if it is this one then all but the last batch from a given row on.
func (g *grouper[K, V]) spillMost(from int) error {
	if g.beside != nil && g.beside.held() > g.held() {
		return g.beside.spillRest()
	}
	return g.spill(true, from)
}

// spill writes the rows that are held as a run and lets go of them. If the last batch is at work, it is kept from a given
// row on.
func (g *grouper[K, V]) spill(atWork bool, from int) error {
	if len(g.groups.group) > 0 {
		c := g.sorted()
		err := g.runs.spill(func(add func(batch.KV[K, V])) {
			for c.step() {
				add(*c.record())
			}
		})
		if err != nil {
			return err
		}
	}
	kept := int64(0)
	if atWork {
		kept = g.last
	}
	g.groups.clear(atWork, from)
	g.groups.table.Clear()
	g.task.Share.Give(g.batches - kept)
	g.batches = kept
	return nil
}

// sorted returns the cursor over what is in memory.
func (g *grouper[K, V]) sorted() *groupsCursor[K, V] {
	g.groups.sort()
	g.groups.table.Sort(g.ordered, g.task.pause)
	return newGroupsCursor(g.groups, !g.ordered)
}

// reserveSides takes the memory for reading what several groupers have spilled, all at the same time. Where the share does
// not grant it, what they hold in memory is spilled too. It comes before any group is handed on: what operators behind
// this one come to hold must not be what is missing here.
func reserveSides(t *Task, sides ...collected) error {
	bytes := int64(0)
	for _, s := range sides {
		r := s.reading()
		bytes += r.bytes()
	}
	if bytes == 0 || t.Share.Take(bytes) {
		for _, s := range sides {
			s.reserved(s.reading())
		}
		return nil
	}
	reads := make([]*reading, len(sides))
	for i, s := range sides {
		if err := s.spillRest(); err != nil {
			return err
		}
		reads[i] = new(s.reading())
	}
	if err := t.awaitReading(reads...); err != nil {
		return err
	}
	for i, s := range sides {
		s.reserved(*reads[i])
	}
	return nil
}

func (g *grouper[K, V]) reading() reading   { return g.runs.reading() }
func (g *grouper[K, V]) reserved(r reading) { g.read = r }

// spillRest spills all that is in memory, after the last record.
func (g *grouper[K, V]) spillRest() error {
	err := g.spill(false, 0)
	g.groups.table.release()
	return err
}

// open returns the groups of what was collected. The memory for that has been reserved.
func (g *grouper[K, V]) open() (*groupStream[K, V], error) {
	var held []cursor[batch.KV[K, V]]
	if len(g.groups.group) > 0 {
		held = append(held, g.sorted())
	}
	read := g.read
	g.read = reading{}
	open, err := g.runs.openRead(read)
	if err != nil {
		return nil, err
	}
	g.records = newMerger(append(open, held...))
	if len(open)+len(held) == 1 {
		g.records = append(open, held...)[0]
	}
	return newGroupStream(g.task, g.records)
}

// drop gives up what was spilled, once all groups have been read that are wanted.
func (g *grouper[K, V]) drop() {
	g.close()
	g.runs.drop()
}

func (g *grouper[K, V]) close() {
	if g.records != nil {
		g.records.close()
	}
}

// release gives back all memory.
func (g *grouper[K, V]) release() {
	g.close()
	g.groups.release()
	g.task.Share.Give(g.batches + g.read.bytes())
	g.batches, g.read = 0, reading{}
}
