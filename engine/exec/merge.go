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

// merger is the cursor over all records of sorted runs: a tree of losers, which costs one comparison for each of its levels
// and record (D. Knuth, The Art of Computer Programming, volume 3, section 5.4.1).
type merger[T any] struct {
	runs  []cursor[T]
	heads []head // where each run is
	// tree[0] is the run whose head is the first of all. tree[n] is the one that lost at the inner node n, whose children
	// are 2n and 2n+1; run r is the leaf len(runs)+r.
	tree    []int
	started bool
}

// head is the key of a run's record.
type head struct {
	prefix uint64 // its first eight bytes as a number; the greatest number behind the last record
	key    []byte
	ended  bool
}

// newMerger returns a cursor that owns runs, before their first record.
func newMerger[T any](runs []cursor[T]) *merger[T] {
	return &merger[T]{runs: runs, heads: make([]head, len(runs)), tree: make([]int, max(len(runs), 1))}
}

func (m *merger[T]) next() (bool, error) {
	if !m.started {
		return m.start()
	}
	winner := m.tree[0]
	if err := m.advance(winner); err != nil {
		return false, err
	}
	for node := (len(m.runs) + winner) / 2; node > 0; node /= 2 {
		if m.before(m.tree[node], winner) {
			m.tree[node], winner = winner, m.tree[node]
		}
	}
	m.tree[0] = winner
	return !m.heads[winner].ended, nil
}

// start moves all runs to their first records and plays the first round.
func (m *merger[T]) start() (bool, error) {
	m.started = true
	if len(m.runs) == 0 {
		return false, nil
	}
	for r := range m.runs {
		if err := m.advance(r); err != nil {
			return false, err
		}
	}
	m.tree[0] = m.play(1)
	return !m.heads[m.tree[0]].ended, nil
}

// play finds the winner below a node and notes the losers.
func (m *merger[T]) play(node int) (winner int) {
	if node >= len(m.runs) {
		return node - len(m.runs)
	}
	winner, loser := m.play(2*node), m.play(2*node+1)
	if m.before(loser, winner) {
		winner, loser = loser, winner
	}
	m.tree[node] = loser
	return winner
}

// advance moves a run to its next record.
func (m *merger[T]) advance(run int) error {
	more, err := m.runs[run].next()
	if err != nil {
		return err
	}
	if !more {
		m.heads[run] = head{prefix: 1<<64 - 1, ended: true}
		return nil
	}
	key := m.runs[run].key()
	m.heads[run] = head{prefix: prefixOf(key), key: key}
	return nil
}

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

// before tells whether the head of run a comes before that of b.
func (m *merger[T]) before(a, b int) bool {
	x, y := &m.heads[a], &m.heads[b]
	if x.prefix != y.prefix {
		return x.prefix < y.prefix
	}
	return m.beforeEqual(a, b)
}

// beforeEqual is before for equal prefixes, apart from it so that that is inlined.
func (m *merger[T]) beforeEqual(a, b int) bool {
	x, y := &m.heads[a], &m.heads[b]
	if x.ended != y.ended {
		return y.ended
	}
	if c := bytes.Compare(x.key, y.key); c != 0 {
		return c < 0
	}
	return a < b
}

func (m *merger[T]) key() []byte { return m.heads[m.tree[0]].key }
func (m *merger[T]) record() *T  { return m.runs[m.tree[0]].record() }

// run returns the run that the record comes from.
func (m *merger[T]) run() int { return m.tree[0] }

func (m *merger[T]) close() { closeAll(m.runs) }
