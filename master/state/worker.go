package state

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"fletch/fault"
)

// Worker is what is replicated of a worker. Its heartbeats and what it runs are not.
type Worker struct {
	ID          string
	Incarnation string // of its process
	Address     string // of its shuffle service
	// Epoch grows whenever what the worker ran and held stops to count: with a new incarnation, and when it comes back
	// after it was declared lost. What a worker did in an earlier epoch is refused. No two workers have the same one.
	Epoch uint64
	// Lost says that the worker is gone; it may register again, in the epoch after this one.
	Lost bool
}

// Register makes a worker known, or known again. A new incarnation of it holds nothing of what the one before did, and
// one that was declared lost has dropped it; their tasks are pending again.
type Register struct {
	Worker      string
	Incarnation string
	Address     string
	At          time.Time
}

// Lose declares that a worker is gone. It is Fenced if the worker's epoch is another one: then it has come back meanwhile.
type Lose struct {
	Worker string
	Epoch  uint64
	At     time.Time
}

func (Register) isCommand() {}
func (Lose) isCommand()     {}

// maxWorkers bounds how many workers are remembered. Those that were lost in the oldest epochs are forgotten first.
const maxWorkers = 10_000

func (m *Machine) register(c Register) error {
	if err := validWorkerID(c.Worker); err != nil {
		return fault.As(fault.Permanent, err)
	}
	if c.Incarnation == "" || len(c.Incarnation) > maxWorkerText || c.Address == "" || len(c.Address) > maxWorkerText {
		return fault.As(fault.Permanent, fmt.Errorf("worker %s: its incarnation and its address take 1 to %d bytes each", c.Worker, maxWorkerText))
	}
	was, known := m.workers[c.Worker]
	now := Worker{ID: c.Worker, Incarnation: c.Incarnation, Address: c.Address, Epoch: was.Epoch}
	if !known && !m.makeRoom() {
		return fault.As(fault.Permanent, fmt.Errorf("worker %s: the cluster has %d workers, the most that it takes", c.Worker, len(m.workers)))
	}
	again := known && !was.Lost && was.Incarnation != c.Incarnation
	if !known || was.Lost || again {
		m.epoch++
		now.Epoch = m.epoch
	}
	m.workers[c.Worker] = now
	if again {
		m.reopenAll(fmt.Sprintf("worker %s was started again", c.Worker), c.At)
	}
	return nil
}

// makeRoom forgets the worker that was lost in the oldest epoch, if there is no room for another one.
func (m *Machine) makeRoom() bool {
	if len(m.workers) < maxWorkers {
		return true
	}
	oldest := Worker{}
	for _, w := range m.workers {
		if w.Lost && (oldest.ID == "" || w.Epoch < oldest.Epoch) {
			oldest = w
		}
	}
	delete(m.workers, oldest.ID)
	return oldest.ID != ""
}

func (m *Machine) lose(c Lose) error {
	was, known := m.workers[c.Worker]
	switch {
	case !known || was.Epoch != c.Epoch:
		return fault.As(fault.Fenced, fmt.Errorf("worker %s is in epoch %d, not in %d", c.Worker, was.Epoch, c.Epoch))
	case was.Lost:
		return nil
	}
	was.Lost = true
	m.workers[c.Worker] = was
	m.reopenAll(fmt.Sprintf("worker %s is lost", c.Worker), c.At)
	return nil
}

// reopenAll makes the tasks pending again whose winners' output is gone and still needed.
func (m *Machine) reopenAll(why string, at time.Time) {
	for _, j := range m.Active() {
		m.replace(j, j.reopenLost(m.holds, why, at))
	}
}

// holds tells whether a worker still holds what it wrote in an epoch. A worker without a name is the one of a single
// process.
func (m *Machine) holds(worker string, epoch uint64) bool {
	w, known := m.workers[worker]
	return worker == "" || known && w.Epoch == epoch && !w.Lost
}

// fenceWorker refuses what a worker did in an epoch that is over.
func (m *Machine) fenceWorker(worker string, epoch uint64) error {
	if m.holds(worker, epoch) {
		return nil
	}
	return fault.As(fault.Fenced, fmt.Errorf("worker %s is refused: its epoch %d is over", worker, epoch))
}

// Worker returns a worker, and whether it is known.
func (m *Machine) Worker(id string) (Worker, bool) {
	w, ok := m.workers[id]
	return w, ok
}

// Workers returns all workers by ID.
func (m *Machine) Workers() []Worker {
	return slices.SortedFunc(maps.Values(m.workers), func(a, b Worker) int { return cmp.Compare(a.ID, b.ID) })
}

const maxWorkerText = 300

// validWorkerID accepts what validJobID does: it stands in names of files, in logs and on command lines.
func validWorkerID(id string) error {
	if validJobID(id) != nil {
		return fmt.Errorf("worker ID %.*q: it takes 1 to %d lower-case letters, digits and, after the first, hyphens", maxJobID, id, maxJobID)
	}
	return nil
}
