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
	// Epoch is raised when what the worker runs and holds stops to count: with a new incarnation, and when it is declared
	// lost. What it did in an earlier epoch is refused. No two workers ever have the same one, so that a worker may be
	// forgotten and come back.
	Epoch uint64
	// Lost says that the worker is gone. It may register again.
	Lost bool
}

// Holder is who holds the blocks of an attempt: a worker, for as long as it is in this epoch. It is zero in one process,
// which holds them to its end.
type Holder struct {
	Worker string
	Epoch  uint64
}

// Register makes a worker known, or known again. A new incarnation of it holds nothing of what the one before did, and
// one that was declared lost has been given up: the tasks whose output is needed are pending again.
type Register struct {
	Worker      string
	Incarnation string
	Address     string
	At          time.Time
}

// Lose declares that a worker is gone. It is Fenced if the worker's epoch is another one, as it has come back meanwhile.
type Lose struct {
	Worker string
	Epoch  uint64
	At     time.Time
}

const (
	// maxWorkers bounds how many are remembered. Beyond it those that were lost first are forgotten.
	maxWorkers    = 10_000
	maxWorkerText = 300 // bytes of an incarnation or an address
)

func (c Register) apply(m *Machine) (Outcome, error) {
	w, known := m.workers[c.Worker]
	if err := c.validate(); err != nil {
		return Outcome{Worker: w}, err
	}
	if !known && !m.workers.makeRoom() {
		return Outcome{}, fmt.Errorf("worker %s: the cluster has %d workers, as many as it takes", c.Worker, maxWorkers)
	}
	// One that was lost has its new epoch already.
	raise := !w.Lost && w.Incarnation != c.Incarnation
	w = Worker{ID: c.Worker, Incarnation: c.Incarnation, Address: c.Address, Epoch: w.Epoch}
	if raise {
		w.Epoch = m.raise(w, Failure{Worker: w.ID, Message: fmt.Sprintf("worker %s has started again", w.ID), At: c.At})
	}
	m.workers[w.ID] = w
	return Outcome{Worker: w}, nil
}

func (c Register) validate() error {
	if validJobID(c.Worker) != nil { // it stands in the same places
		return fmt.Errorf("worker ID %.*q: it takes 1 to %d lower-case letters, digits and, after the first, hyphens", maxJobID, c.Worker, maxJobID)
	}
	if c.Incarnation == "" || len(c.Incarnation) > maxWorkerText || len(c.Address) > maxWorkerText {
		return fmt.Errorf("worker %s: its incarnation takes 1 to %d bytes, its address as many at most", c.Worker, maxWorkerText)
	}
	return nil
}

func (c Lose) apply(m *Machine) (Outcome, error) {
	w, known := m.workers[c.Worker]
	switch {
	case !known:
		return Outcome{}, fault.As(fault.Fenced, fmt.Errorf("worker %.*s is not known", maxJobID, c.Worker))
	case w.Lost && c.Epoch < w.Epoch:
		return Outcome{Worker: w}, nil
	case w.Epoch != c.Epoch:
		return Outcome{Worker: w}, fault.As(fault.Fenced, fmt.Errorf("worker %s is in epoch %d, not in %d", c.Worker, w.Epoch, c.Epoch))
	}
	w.Lost = true
	w.Epoch = m.raise(w, Failure{Worker: w.ID, Message: fmt.Sprintf("worker %s was lost", w.ID), At: c.At})
	m.workers[w.ID] = w
	return Outcome{Worker: w}, nil
}

// raise gives a worker the next epoch and returns it. What it held in the one before is gone.
func (m *Machine) raise(w Worker, why Failure) uint64 {
	_, known := m.workers[w.ID]
	m.epoch++
	w.Epoch = m.epoch
	m.workers[w.ID] = w
	for _, j := range m.Active() {
		if known { // a new one held nothing
			m.replace(j, j.reopenGone(m.workers, why))
		}
	}
	return m.epoch
}

// Worker returns a worker, and whether it is known.
func (m *Machine) Worker(id string) (w Worker, known bool) {
	w, known = m.workers[id]
	return w, known
}

// Workers returns all workers by ID, also those that are lost.
func (m *Machine) Workers() []Worker {
	return slices.SortedFunc(maps.Values(m.workers), func(a, b Worker) int { return cmp.Compare(a.ID, b.ID) })
}

// workers are those that are known, by ID.
type workers map[string]Worker

// hold tells whether a holder still holds what it did.
func (ws workers) hold(h Holder) bool {
	w, known := ws[h.Worker]
	return h == Holder{} || known && w.Epoch == h.Epoch
}

// fence refuses what a worker did in an epoch that is over.
func (ws workers) fence(h Holder) error {
	if ws.hold(h) {
		return nil
	}
	return fault.As(fault.Fenced, fmt.Errorf("worker %.*s is refused: its epoch %d is over", maxJobID, h.Worker, h.Epoch))
}

// makeRoom makes room for another worker: it forgets the one that was lost first, if it must.
func (ws workers) makeRoom() bool {
	if len(ws) < maxWorkers {
		return true
	}
	var first Worker
	for _, w := range ws {
		if w.Lost && (first.ID == "" || w.Epoch < first.Epoch) {
			first = w
		}
	}
	delete(ws, first.ID)
	return first.ID != ""
}
