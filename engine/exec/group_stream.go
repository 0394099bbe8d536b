package exec

import (
	"bytes"
	"iter"

	"fletch/engine/batch"
)

// groupStream walks the groups of records that come in the order of their keys: what a cursor has between one key and the
// next. It stands at a group, at first at the first one, as long as there is more.
type groupStream[K, V any] struct {
	task    *Task
	records cursor[batch.KV[K, V]]
	more    bool
	encoded []byte          // the group's key
	number  int             // of the group
	at      bool            // records is at one of the group that has not been done with
	rec     *batch.KV[K, V] // that one, if it has been asked for
	ended   bool            // records has no more
	ranged  bool            // the group's values have been asked for
}

// newGroupStream returns the stream of the groups of a cursor, which is its caller's to close.
func newGroupStream[K, V any](t *Task, records cursor[batch.KV[K, V]]) (*groupStream[K, V], error) {
	s := &groupStream[K, V]{task: t, records: records}
	if err := s.step(); err != nil {
		return nil, err
	}
	s.begin()
	return s, nil
}

// step moves to the next record.
func (s *groupStream[K, V]) step() error {
	more, err := s.records.next()
	s.rec, s.ended = nil, !more
	s.at = more && s.number > 0 && bytes.Equal(s.records.key(), s.encoded)
	return err
}

// begin is called where records is at the first one of a group or has no more.
func (s *groupStream[K, V]) begin() {
	s.more, s.at, s.ranged = !s.ended, !s.ended, false
	s.number++
	if s.more {
		s.encoded = append(s.encoded[:0], s.records.key()...)
	}
}

// next moves to the next group, past those values of this one that nobody has asked for.
func (s *groupStream[K, V]) next() error {
	for s.at {
		s.task.advance()
		if err := s.step(); err != nil {
			return err
		}
	}
	s.begin()
	return nil
}

// record returns the record that is at work.
func (s *groupStream[K, V]) record() *batch.KV[K, V] {
	if s.rec == nil {
		s.rec = s.records.record()
	}
	return s.rec
}

// key returns the group's key. It is called before its values are ranged over.
func (s *groupStream[K, V]) key() K { return s.record().Key }

// values returns the group's values, in the order in which they came.
func (s *groupStream[K, V]) values() iter.Seq[V] {
	number := s.number
	return func(yield func(V) bool) {
		if number != s.number {
			panic("the values of a group are ranged over after its function has returned; collect them (slices.Collect) to keep them")
		}
		if s.ranged {
			panic(rangedTwice)
		}
		s.ranged = true
		for s.at {
			s.task.advance()
			if !yield(s.record().Value) {
				return
			}
			s.task.check(s.step())
		}
	}
}

// rangedTwice is what code that ranges over values a second time panics with.
const rangedTwice = "the values of a group can be ranged over once; collect them (slices.Collect) to use them again"

// noValues returns the values of a key that a side lacks; they too can be ranged over once.
func noValues[V any]() iter.Seq[V] {
	ranged := false
	return func(func(V) bool) {
		if ranged {
			panic(rangedTwice)
		}
		ranged = true
	}
}

// compareStreams compares the keys of the groups that two streams stand at; what has no more comes last.
func compareStreams[K, V, W any](a *groupStream[K, V], b *groupStream[K, W]) int {
	switch {
	case !b.more:
		return -1
	case !a.more:
		return 1
	default:
		return bytes.Compare(a.encoded, b.encoded)
	}
}
