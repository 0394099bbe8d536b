package exec

import (
	"bytes"
	"encoding/binary"
)

// cursor walks the records of a sorted run.
type cursor[T any] interface {
	// next moves to the next record, at first to the first one; it returns false behind the last one.
	next() (bool, error)
	// key returns the encoded key of the record that the cursor is at, valid until the following call of next.
	key() []byte
	// record returns that record itself, likewise.
	record() *T
	// close gives back what the cursor holds; a second call does nothing.
	close()
}

// merge feeds the records of sorted runs to f, until it returns false: in the order of their keys, and those of equal keys
// in the order of their runs. Run says which of them a record comes from; neither it nor its key outlives the call. The
// runs are closed at the end.
func merge[T any](t *Task, runs []cursor[T], f func(rec *T, key []byte, run int) bool) error {
	m := newMerger(runs)
	defer m.close()
	for {
		more, err := m.next()
		if err != nil || !more {
			return err
		}
		t.pause()
		if !f(m.record(), m.key(), m.run()) {
			return nil
		}
	}
}

// merger is the cursor over all records of sorted runs.
type merger[T any] struct {
	runs    []cursor[T]
	losers  *losers
	started bool
}

// newMerger returns a cursor that owns runs, before their first record.
func newMerger[T any](runs []cursor[T]) *merger[T] {
	m := &merger[T]{runs: runs}
	m.losers = newLosers(len(runs), func(a, b int) bool {
		if c := bytes.Compare(runs[a].key(), runs[b].key()); c != 0 {
			return c < 0
		}
		return a < b
	})
	return m
}

func (m *merger[T]) next() (bool, error) {
	if !m.started {
		return m.start()
	}
	if err := m.advance(m.losers.first()); err != nil {
		return false, err
	}
	m.losers.replay()
	return m.losers.more(), nil
}

// start moves all runs to their first records.
func (m *merger[T]) start() (bool, error) {
	m.started = true
	for run := range m.runs {
		if err := m.advance(run); err != nil {
			return false, err
		}
	}
	m.losers.start()
	return m.losers.more(), nil
}

// advance moves a run to its next record.
func (m *merger[T]) advance(run int) error {
	more, err := m.runs[run].next()
	if err != nil {
		return err
	}
	if !more {
		m.losers.end(run)
		return nil
	}
	m.losers.prefixes[run] = prefixOf(m.runs[run].key())
	return nil
}

func (m *merger[T]) key() []byte { return m.runs[m.losers.first()].key() }
func (m *merger[T]) record() *T  { return m.runs[m.losers.first()].record() }

// run returns the run that the record comes from.
func (m *merger[T]) run() int { return m.losers.first() }

func (m *merger[T]) close() { closeAll(m.runs) }

// prefixOf returns the first eight bytes of a key as a number, zeroes behind the end of a shorter one: of two prefixes that
// differ the smaller one is that of the smaller key.
func prefixOf(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var padded [8]byte
	copy(padded[:], key)
	return binary.BigEndian.Uint64(padded[:])
}
