package replica

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// transferPause is the wait for a transfer of leadership that holds up the start of a term, and may come to nothing.
const transferPause = 50 * time.Millisecond

// Leading calls f in each term in which this master leads, until ctx ends or the replica stops, which is no error. It
// calls f once every entry of earlier terms is applied. f's context ends with the term; the next term waits for f's
// return. An error of f's before the end of its context ends Leading.
func (r *Replica) Leading(ctx context.Context, f func(ctx context.Context, term uint64) error) error {
	select {
	case <-r.started:
	case <-r.stopped:
		return nil
	case <-ctx.Done():
		return nil
	}
	running := r.running()
	if running == nil {
		return nil
	}
	elections := running.LeaderCh()
	for leads := false; ; {
		var err error
		if leads {
			leads, err = r.term(ctx, running, elections, f)
		} else {
			select {
			case leads = <-elections:
			case <-r.stopped:
			case <-ctx.Done():
			}
		}
		if err != nil || ctx.Err() != nil || r.running() == nil {
			return err
		}
	}
}

// term runs f until the term ends, and tells whether this master leads the next term as well.
func (r *Replica) term(ctx context.Context, running *raft.Raft, elections <-chan bool, f func(ctx context.Context, term uint64) error) (leads bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.lead(ctx, running, f) }()
	select {
	case err := <-done:
		return false, err
	case leads = <-elections: // true means that leadership was lost and won again
	case <-r.stopped:
	case <-ctx.Done():
	}
	cancel()
	return leads, <-done
}

// lead runs one term. It returns nil where leadership is lost, which Leading learns by itself.
func (r *Replica) lead(ctx context.Context, running *raft.Raft, f func(ctx context.Context, term uint64) error) error {
	term, ok := r.takeOver(ctx, running)
	if !ok {
		return nil
	}
	if err := f(ctx, term); ctx.Err() == nil {
		return err
	}
	return nil
}

// takeOver returns the term once everything before it is applied.
func (r *Replica) takeOver(ctx context.Context, running *raft.Raft) (term uint64, ok bool) {
	for {
		term = running.CurrentTerm()
		err := r.ask(ctx, func(running *raft.Raft) raft.Future { return running.Barrier(0) })
		switch {
		case err == nil && running.CurrentTerm() == term:
			return term, true // the barrier was written in this term, by its leader
		case err != nil && !errors.Is(err, raft.ErrLeadershipTransferInProgress):
			return 0, false
		}
		select {
		case <-time.After(transferPause):
		case <-ctx.Done():
			return 0, false
		}
	}
}

// Leader returns the master that leads, as far as this one knows.
func (r *Replica) Leader() (Server, bool) {
	running := r.running()
	if running == nil {
		return Server{}, false
	}
	address, id := running.LeaderWithID()
	return Server{ID: string(id), Address: string(address), Voter: true}, id != ""
}

// Term returns the current term, zero before Run.
func (r *Replica) Term() uint64 {
	running := r.running()
	if running == nil {
		return 0
	}
	return running.CurrentTerm()
}

// Verify asks a quorum whether this master leads still. If it does, and Leading has called its function in this term, Read
// shows every command that was answered before.
func (r *Replica) Verify(ctx context.Context) error {
	return r.explain(r.ask(ctx, func(running *raft.Raft) raft.Future { return running.VerifyLeader() }))
}

// Transfer hands leadership to the voter whose log is the most complete.
func (r *Replica) Transfer(ctx context.Context) error {
	return r.explain(r.ask(ctx, func(running *raft.Raft) raft.Future { return running.LeadershipTransfer() }))
}
