package replica

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// Run serves until ctx ends, which is no error. An error means that this replica can't be trusted with the log any more:
// the process must exit, as parts of raft may have been left behind. Run may be called once.
func (r *Replica) Run(ctx context.Context) error { return r.run(ctx, openLog) }

func openLog(config Config) (store, error) {
	return wal.Open(filepath.Join(config.Dir, logDir), wal.WithSegmentSize(segmentBytes), wal.WithLogger(newRaftLog(config.Log)))
}

func (r *Replica) run(ctx context.Context, open func(Config) (store, error)) error {
	err := r.runNode(ctx, open)
	if err != nil {
		err = r.advise(err)
	}
	return errors.Join(err, r.directory.close())
}

func (r *Replica) runNode(ctx context.Context, open func(Config) (store, error)) error {
	defer close(r.stopped)
	log, err := open(r.config)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	n := newNode(r, log)
	if err := n.boot(); err != nil {
		return errors.Join(err, n.stop())
	}
	return errors.Join(r.serve(ctx, n), n.stop())
}

// serve lets others use raft until ctx ends or something fails.
func (r *Replica) serve(ctx context.Context, n *node) error {
	r.mu.Lock()
	r.mu.raft = n.raft
	r.mu.Unlock()
	close(r.started)

	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() {
		r.committer.run(inner, n.raft, func(f raft.Future) error {
			return r.ask(context.WithoutCancel(ctx), func(*raft.Raft) raft.Future { return f })
		})
	})
	work.Go(func() { r.takeSnapshots(inner) })
	// A failure may come at any time up to the end, and leave calls of raft waiting for ever.
	unwatch := context.AfterFunc(r.failure.context, n.halt)
	defer unwatch()
	select {
	case <-ctx.Done():
		r.handOver(n.raft)
	case <-r.failure.context.Done():
	}
	cancel()
	work.Wait()

	r.mu.Lock()
	r.mu.raft = nil
	r.mu.Unlock()
	if err := r.failure.cause(); err != nil {
		return err
	}
	return within(r.config.WriteDeadline, "questions to raft", func() error {
		r.questions.Wait()
		return nil
	})
}

// handOver lets another master lead at once, where its election would take some time.
func (r *Replica) handOver(running *raft.Raft) {
	if running.State() != raft.Leader || len(r.Servers()) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.config.ElectionTimeout)
	defer cancel()
	if err := r.Transfer(ctx); err != nil {
		r.config.Log.Debug("no other master takes over at once", "why", err)
	}
}

// takeSnapshots cuts the log when it has grown.
func (r *Replica) takeSnapshots(ctx context.Context) {
	for {
		select {
		case <-r.machine.growth.due:
		case <-ctx.Done():
			return
		}
		err := r.ask(ctx, func(running *raft.Raft) raft.Future { return running.Snapshot() })
		if err == nil || ctx.Err() != nil {
			continue
		}
		r.config.Log.Warn("no snapshot of the state could be written; the log goes on growing", "why", err)
		select {
		case <-time.After(snapshotRetryWait):
		case <-ctx.Done():
			return
		}
	}
}

// advise adds what an operator can do.
func (r *Replica) advise(err error) error {
	if !errors.Is(err, errDamaged) && !errors.Is(err, wal.ErrCorrupt) {
		return fmt.Errorf("replica in %s: %w", r.config.Dir, err)
	}
	return fmt.Errorf("replica in %s: %w; the other masters have the same state: move the directory away, and add this master again under a new ID",
		r.config.Dir, err)
}

// within runs f and gives up on it after a time: what it waits for may hang with the disk.
func within(limit time.Duration, what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("%s have not ended within %s", what, limit)
	}
}
