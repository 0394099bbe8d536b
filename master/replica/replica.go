// Package replica keeps a state.Machine the same on all masters of a cluster, with hashicorp/raft: commands go into a
// replicated log, durable on a quorum before they are applied; snapshots cut the log; a leader is elected among the
// masters. Layout on disk: docs/format/raft.md.
//
// The parts: the committer packs commands into entries; raft writes them to the disk (raft-wal, which a disk gives
// deadlines and a codec checksums) and, through the stream, to the other masters; the machine applies what is committed.
//
// What can't be trusted stops the replica: a write that fails or hangs, a damaged entry, one of a newer version. Run
// returns, the process must exit, and the other masters go on without it.
package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"fletch/master/state"
)

// Replica is one master's copy of the state.
type Replica struct {
	config    Config
	directory *directory
	failure   *failure
	machine   *machine
	committer *committer
	stream    *stream

	mu struct {
		sync.Mutex
		raft *raft.Raft // nil before Run has started it and once Run begins to stop it
	}
	questions sync.WaitGroup // those that raft has to answer yet; added to while mu.raft is set
	started   chan struct{}  // closed once raft runs
	stopped   chan struct{}  // closed when Run has begun to stop
}

// Open checks the directory, or makes a new one, and takes its lock. Nothing runs before Run.
func Open(config Config) (*Replica, error) { return open(config, defaultLimits) }

func open(config Config, l limits) (*Replica, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	d, err := openDirectory(config.Dir, identity{Format: format, Cluster: config.Cluster, ID: config.ID})
	if err != nil {
		return nil, err
	}
	f := newFailure()
	return &Replica{
		config: config, directory: d, failure: f, machine: newMachine(f, l), committer: newCommitter(), stream: newStream(config),
		started: make(chan struct{}), stopped: make(chan struct{}),
	}, nil
}

// Close releases a replica that is not run.
func (r *Replica) Close() error { return r.directory.close() }

// Read calls f with the state. What f takes out of it may be kept, as it never changes; the machine itself may not.
func (r *Replica) Read(f func(*state.Machine)) { r.machine.read(f) }

// Changed returns a channel that is closed when the state changes next.
func (r *Replica) Changed() <-chan struct{} { return r.machine.changed() }

// running returns raft while it runs, else nil.
func (r *Replica) running() *raft.Raft {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mu.raft
}

// ask puts a question to raft and waits for the answer, until ctx ends: nothing can take a question back.
func (r *Replica) ask(ctx context.Context, question func(*raft.Raft) raft.Future) error {
	r.mu.Lock()
	running := r.mu.raft
	if running != nil {
		r.questions.Add(1)
	}
	r.mu.Unlock()
	if running == nil {
		return raft.ErrNotLeader
	}
	answer := make(chan error, 1)
	go func() {
		defer r.questions.Done()
		answer <- question(running).Error()
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	case <-r.failure.context.Done():
		return fmt.Errorf("%w: %w", ErrUnknown, r.failure.cause())
	}
}

// explain turns an error of raft's into one of this package.
func (r *Replica) explain(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrUnknown):
		return err
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		leader, _ := r.Leader()
		return &NotLeaderError{Leader: leader.Address}
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}
