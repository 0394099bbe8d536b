package replica

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// How raft is run. An entry carries many commands, so that a message of few entries is large already.
const (
	maxAppendEntries  = 64
	transportTimeout  = 10 * time.Second
	connectionsKept   = 3        // to each master
	segmentBytes      = 16 << 20 // of the log's files
	snapshotRetryWait = 10 * time.Second
)

// node is raft with all that it stands on.
type node struct {
	config    Config
	machine   *machine
	failure   *failure
	log       hclog.Logger
	disk      *disk
	stream    *stream
	transport *raft.NetworkTransport
	raft      *raft.Raft // nil until boot has succeeded

	halting sync.Once
	halted  raft.Future // set by halt: raft's goroutines have ended
}

func newNode(r *Replica, log store) *node {
	n := &node{
		config: r.config, machine: r.machine, failure: r.failure, log: newRaftLog(r.config.Log),
		disk:   &disk{store: log, deadline: r.config.WriteDeadline, failure: r.failure},
		stream: r.stream,
	}
	n.transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: n.stream, MaxPool: connectionsKept, Timeout: transportTimeout, Logger: n.log, MsgpackUseNewTimeFormat: true,
	})
	return n
}

// boot starts raft. It does so in a goroutine of its own, as the disk ends the goroutine that it fails.
func (n *node) boot() error {
	var err error
	var work sync.WaitGroup
	work.Go(func() {
		if err = n.disk.verify(); err == nil {
			n.raft, err = n.start()
		}
	})
	work.Wait()
	if cause := n.failure.cause(); cause != nil {
		return cause
	}
	return err
}

func (n *node) start() (*raft.Raft, error) {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(n.config.ID)
	config.HeartbeatTimeout, config.ElectionTimeout = n.config.ElectionTimeout, n.config.ElectionTimeout
	config.LeaderLeaseTimeout = n.config.ElectionTimeout // nothing is decided by the lease alone
	config.MaxAppendEntries = maxAppendEntries
	config.SnapshotThreshold = 1 << 62 // growth says when
	config.TrailingLogs = n.machine.growth.limits.trailing
	config.ShutdownOnRemove = false // a master that is removed goes on as a follower, until it is stopped
	config.NoLegacyTelemetry = true
	config.Logger = n.log

	files, err := openSnapshots(filepath.Join(n.config.Dir, snapshotDir))
	if err != nil {
		return nil, fmt.Errorf("open the snapshots: %w", err)
	}
	if err := n.bootstrap(config, files); err != nil {
		return nil, fmt.Errorf("begin the cluster: %w", err)
	}
	if err := n.checkGap(files); err != nil {
		return nil, err
	}
	return raft.NewRaft(config, n.machine, n.disk, n.disk, files, n.transport)
}

// bootstrap writes the first masters into an empty log.
func (n *node) bootstrap(config *raft.Config, snapshots raft.SnapshotStore) error {
	used, err := raft.HasExistingState(n.disk, n.disk, snapshots)
	if err != nil || used || len(n.config.Bootstrap) == 0 {
		return err
	}
	var first raft.Configuration
	for _, s := range n.config.Bootstrap {
		first.Servers = append(first.Servers, raft.Server{ID: raft.ServerID(s.ID), Address: raft.ServerAddress(s.Address)})
	}
	return raft.BootstrapCluster(config, n.disk, n.disk, snapshots, n.transport, first)
}

// checkGap refuses a log that does not begin where the newest snapshot ends: raft would find that out too late.
func (n *node) checkGap(files *snapshots) error {
	list, err := files.List()
	if err != nil {
		return err
	}
	var covered uint64
	if len(list) > 0 {
		covered = list[0].Index
	}
	first, err := n.disk.FirstIndex()
	if err != nil {
		return err
	}
	if first > covered+1 {
		return fmt.Errorf("the log begins at entry %d, and the newest snapshot ends at %d: a snapshot is missing (%w)", first, covered, errDamaged)
	}
	return nil
}

// halt tells raft to end. What waits for it to take a command gets an error.
func (n *node) halt() {
	n.halting.Do(func() { n.halted = n.raft.Shutdown() })
}

// stop ends raft and closes what it stands on. After a failure some of it may be left behind.
func (n *node) stop() error {
	if n.raft != nil {
		n.halt()
	}
	closed := errors.Join(n.transport.Close(), n.stream.shutdown())
	var ended error
	if n.raft != nil {
		ended = within(n.config.WriteDeadline, "raft's goroutines", n.halted.Error)
	}
	if ended == nil && n.failure.cause() == nil {
		ended = n.disk.markEnd()
	}
	return errors.Join(closed, ended, within(n.config.WriteDeadline, "writes to the log", n.disk.Close))
}
