package exec

import (
	"io"

	"fletch/engine/batch"
)

// grouper collects the records of one side and yields them by their keys: in memory as far as the task's share grants that,
// beyond it in runs that were spilled.
type grouper[K, V any] struct {
	task    *Task
	groups  *groups[K, V]
	runs    runs[batch.KV[K, V]]
	ordered bool                   // by the keys, else by their hashes and then by them
	batches int64                  // taken for the batches in memory
	last    int64                  // of it, for the last one
	rows    int64                  // taken for their rows
	read    reading                // reserved
	records cursor[batch.KV[K, V]] // all of them, once it is open
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
		if err == io.EOF { //nolint:errorlint // see vectors
			return nil
		}
		if err != nil {
			return err
		}
		g.last = 0
		room := func(from int) {
			if from == 0 {
				g.takeBatch(batch.SizeOf(rec) + groupBatchBytes)
			}
			g.takeRows(from)
		}
		if err := g.groups.add(rec, room); err != nil {
			return err
		}
	}
}

// takeBatch takes the memory of the batch that was added last.
func (g *grouper[K, V]) takeBatch(bytes int64) {
	if !g.task.Share.Take(bytes) {
		g.task.check(g.spill(true, 0))
		g.task.check(g.task.await(bytes))
	}
	g.batches += bytes
	g.last = bytes
}

// takeRows takes the memory of the rows whose keys have been normalised, those from a given one on of the last batch.
func (g *grouper[K, V]) takeRows(from int) {
	keys := &g.groups.vector
	bytes := int64(len(keys.Words)) * groupRowBytes
	for !g.groups.table.Room(keys) || !g.task.Share.Take(bytes) {
		if len(g.groups.group) > 0 {
			g.task.check(g.spill(true, from))
			continue
		}
		g.task.check(g.groups.table.awaitRoom(g.task, keys))
		g.groups.table.Room(keys)
		g.task.check(g.task.await(bytes))
		break
	}
	g.rows += bytes
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
	g.task.Share.Give(g.rows + g.batches - kept)
	g.rows, g.batches = 0, kept
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
func reserveSides(t *Task, sides ...interface {
	reading() reading
	spillRest() error
	reserved(reading)
}) error {
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
func (g *grouper[K, V]) drop() error {
	g.close()
	return g.runs.drop()
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
	g.task.Share.Give(g.batches + g.rows + g.read.bytes())
	g.batches, g.rows, g.read = 0, 0, reading{}
}
