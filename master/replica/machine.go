package replica

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hashicorp/raft"

	"fletch/master/state"
)

// Outcome is what became of a command: what state.Machine.Apply returned, or Err alone where it was not applied.
type Outcome struct {
	state.Outcome
	Err error
}

// machine applies the log to the state, as raft.BatchingFSM. raft calls it from one goroutine, except for Read and
// Changed.
type machine struct {
	mu struct {
		sync.RWMutex
		state   *state.Machine
		changed chan struct{} // closed and replaced after each change
	}

	// failure is set where the log can't be applied. From then on nothing is, and no snapshot is taken: what would follow
	// could differ from the other replicas.
	failure *failure
	growth  *growth
}

func newMachine(f *failure, l limits) *machine {
	m := &machine{failure: f, growth: newGrowth(l)}
	m.mu.state = state.New()
	m.mu.changed = make(chan struct{})
	return m
}

func (m *machine) read(f func(*state.Machine)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	f(m.mu.state)
}

func (m *machine) changed() <-chan struct{} {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.mu.changed
}

// Apply implements raft.FSM.
func (m *machine) Apply(log *raft.Log) any { return m.ApplyBatch([]*raft.Log{log})[0] }

// ApplyBatch implements raft.BatchingFSM. The answer to an entry of commands is their []Outcome; raft's own entries need
// none, but a place in the list.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	answers := make([]any, len(logs))
	for i, log := range logs {
		if log.Type != raft.LogCommand || m.failure.cause() != nil {
			continue
		}
		commands, err := decodeEntry(log.Data)
		if err != nil {
			m.failure.set(fmt.Errorf("apply entry %d of the log: %w", log.Index, err))
			continue
		}
		answers[i] = m.apply(commands)
		m.growth.add(len(log.Data))
	}
	return answers
}

func (m *machine) apply(commands []state.Command) []Outcome {
	outcomes := make([]Outcome, len(commands))
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, c := range commands {
		outcomes[i].Outcome, outcomes[i].Err = m.mu.state.Apply(c)
	}
	m.signalLocked()
	return outcomes
}

func (m *machine) signalLocked() {
	close(m.mu.changed)
	m.mu.changed = make(chan struct{})
}

// Snapshot implements raft.FSM. It takes references; Persist writes them while the log goes on.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if err := m.failure.cause(); err != nil {
		return nil, err
	}
	m.growth.begin()
	return &snapshot{state: m.mu.state.Snapshot(), growth: m.growth}, nil
}

// Restore implements raft.FSM. The state changes once all of the snapshot has been read and found whole.
func (m *machine) Restore(from io.ReadCloser) error {
	restored, bytes, err := readSnapshot(from)
	if err != nil {
		err = fmt.Errorf("restore a snapshot: %w", err)
		m.failure.set(err)
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.state = restored
	m.signalLocked()
	m.growth.begin()
	m.growth.end(bytes)
	return nil
}

// snapshot is the state at some point of the log, as a raft.FSMSnapshot.
type snapshot struct {
	state  state.Snapshot
	growth *growth
}

// Persist implements raft.FSMSnapshot.
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	bytes, err := writeSnapshot(sink, &s.state)
	if err != nil {
		return errors.Join(fmt.Errorf("write a snapshot: %w", err), sink.Cancel())
	}
	if err := sink.Close(); err != nil {
		return err
	}
	s.growth.end(bytes)
	return nil
}

// Release implements raft.FSMSnapshot.
func (s *snapshot) Release() {}
