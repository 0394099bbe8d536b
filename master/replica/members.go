package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"fletch/fault"
)

const (
	knockWait  = 2 * time.Second  // for a member to answer
	changeWait = 10 * time.Second // for an earlier change of the members
)

// Servers returns the members of the cluster, in the order in which they were added; none before Run.
func (r *Replica) Servers() []Server {
	running := r.running()
	if running == nil {
		return nil
	}
	var servers []Server
	for _, s := range running.GetConfiguration().Configuration().Servers {
		servers = append(servers, Server{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter})
	}
	return servers
}

// Add makes a master that runs, with an empty directory and no Bootstrap, a member; for one that is a member and has moved
// it takes down the new address. The error has class fault.Permanent where the cluster would be no better for it.
func (r *Replica) Add(ctx context.Context, s Server) error {
	if err := r.canChange(); err != nil {
		return err
	}
	after := slices.DeleteFunc(r.Servers(), func(old Server) bool { return old.ID == s.ID })
	for _, old := range after {
		if old.Address == s.Address {
			return fault.As(fault.Permanent, fmt.Errorf("master %s has the address %s already", old.ID, old.Address))
		}
	}
	if err := r.knock(ctx, s); err != nil {
		return fault.As(fault.Permanent, fmt.Errorf("add master %s: %w; start it first, with an empty directory", s.ID, err))
	}
	if err := r.checkQuorum(ctx, append(after, s)); err != nil {
		return fault.As(fault.Permanent, fmt.Errorf("add master %s: %w", s.ID, err))
	}
	add := (*raft.Raft).AddNonvoter
	if s.Voter {
		add = (*raft.Raft).AddVoter
	}
	return r.change(ctx, func(running *raft.Raft) raft.Future {
		return add(running, raft.ServerID(s.ID), raft.ServerAddress(s.Address), 0, changeWait)
	})
}

// Remove ends the membership of a master. A leader that is asked to remove itself hands over leadership first, and
// refers the caller to its successor. The error has class fault.Permanent where the cluster could not go on.
func (r *Replica) Remove(ctx context.Context, id string) error {
	if err := r.canChange(); err != nil {
		return err
	}
	before := r.Servers()
	after := slices.DeleteFunc(slices.Clone(before), func(s Server) bool { return s.ID == id })
	if len(after) == len(before) {
		return fault.As(fault.Permanent, fmt.Errorf("the cluster has no master %s", id))
	}
	if err := r.checkQuorum(ctx, after); err != nil {
		return fault.As(fault.Permanent, fmt.Errorf("remove master %s: %w", id, err))
	}
	if id == r.config.ID {
		if err := r.Transfer(ctx); err != nil {
			return fmt.Errorf("hand over leadership before master %s is removed: %w", id, err)
		}
		return r.explain(raft.ErrNotLeader)
	}
	return r.change(ctx, func(running *raft.Raft) raft.Future {
		return running.RemoveServer(raft.ServerID(id), 0, changeWait)
	})
}

// canChange refuses on a follower, before it is asked what only a leader knows.
func (r *Replica) canChange() error {
	if running := r.running(); running == nil || running.State() != raft.Leader {
		return r.explain(raft.ErrNotLeader)
	}
	return nil
}

// change changes the members.
func (r *Replica) change(ctx context.Context, question func(*raft.Raft) raft.Future) error {
	err := r.ask(ctx, question)
	switch {
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return errors.New("another change of the masters has not come to its end: try again")
	case err == nil, errors.Is(err, ErrUnknown), errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipLost),
		errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, raft.ErrRaftShutdown):
		return r.explain(err)
	}
	return fault.As(fault.Permanent, err) // raft's own check of the members
}

// knock tells why a member can't be reached at its address, or nil.
func (r *Replica) knock(ctx context.Context, s Server) error {
	conn, id, err := r.stream.dial(ctx, s.Address, knockWait)
	if err != nil {
		return err
	}
	if id != s.ID {
		err = fmt.Errorf("the master at %s is %s", s.Address, id)
	}
	return errors.Join(err, conn.Close())
}

// checkQuorum refuses members of whom too few answer: the change itself has to be agreed on by a quorum of them.
func (r *Replica) checkQuorum(ctx context.Context, members []Server) error {
	var answer atomic.Int64
	var knocks sync.WaitGroup
	voters := 0
	for _, s := range members {
		if !s.Voter {
			continue
		}
		voters++
		knocks.Go(func() {
			if s.ID == r.config.ID || r.knock(ctx, s) == nil {
				answer.Add(1)
			}
		})
	}
	knocks.Wait()
	if have := int(answer.Load()); have < voters/2+1 {
		return fmt.Errorf("the cluster could not go on: %d of its %d masters would answer, and it takes %d", have, voters, voters/2+1)
	}
	return nil
}
