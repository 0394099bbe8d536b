package replica

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/hashicorp/raft"
)

// store is the log and the few numbers that raft keeps beside it, as raft-wal implements them.
type store interface {
	raft.LogStore
	raft.StableStore
	Close() error
}

// disk gives a store deadlines. A leader whose disk hangs goes on sending heartbeats and so holds up the cluster, and a
// second fsync after one that failed may succeed without the data: after the first failure no operation is tried again.
type disk struct {
	store
	deadline time.Duration
	failure  *failure
}

// try runs an operation. One that is overdue is left alone: nothing can interrupt it.
func (d *disk) try(what string, op func() error) error {
	if err := d.failure.cause(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- op() }()
	timer := time.NewTimer(d.deadline)
	defer timer.Stop()
	select {
	case err := <-done:
		if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
			d.failure.set(fmt.Errorf("%s: %w", what, err))
		}
		return err
	case <-timer.C:
		err := fmt.Errorf("%s: the disk has not answered within %s", what, d.deadline)
		d.failure.set(err)
		return err
	}
}

// leave ends the goroutine where raft would panic at an error. Its deferred calls answer who waits for it, and the
// owner of the failure shuts raft down.
func leave() { runtime.Goexit() }

// GetLog implements raft.LogStore.
func (d *disk) GetLog(index uint64, log *raft.Log) error {
	var found raft.Log // an overdue read writes it when nobody looks any more
	err := d.try(fmt.Sprintf("read entry %d of the log", index), func() error { return d.read(index, &found) })
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		leave()
	}
	*log = found
	return err
}

// read reads an entry and checks it.
func (d *disk) read(index uint64, log *raft.Log) (err error) {
	defer func() {
		if recover() != nil { // raft-wal's decoder, at some damaged records
			err = errDamaged
		}
	}()
	err = d.store.GetLog(index, log)
	switch {
	case errors.Is(err, raft.ErrLogNotFound):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	return unseal(log)
}

// StoreLog implements raft.LogStore.
func (d *disk) StoreLog(log *raft.Log) error { return d.StoreLogs([]*raft.Log{log}) }

// StoreLogs implements raft.LogStore.
func (d *disk) StoreLogs(logs []*raft.Log) error {
	sealed := make([]*raft.Log, len(logs))
	for i, log := range logs {
		sealed[i] = seal(log)
	}
	return d.try("append to the log", func() error { return d.store.StoreLogs(sealed) })
}

// DeleteRange implements raft.LogStore.
func (d *disk) DeleteRange(first, last uint64) error {
	return d.try("cut the log", func() error { return d.store.DeleteRange(first, last) })
}

// Set implements raft.StableStore.
func (d *disk) Set(key, value []byte) error {
	return d.try("write the vote", func() error { return d.store.Set(key, value) })
}

// SetUint64 implements raft.StableStore.
func (d *disk) SetUint64(key []byte, value uint64) error {
	if d.try("write the term", func() error { return d.store.SetUint64(key, value) }) != nil {
		leave()
	}
	return nil
}

// IsMonotonic implements raft.MonotonicLogStore: the log takes no gaps, so raft empties it when it installs a snapshot.
func (d *disk) IsMonotonic() bool { return true }

// endKey is where the last index of the log stands after an orderly end. raft-wal takes damage at the very end of the
// log for a write that a crash cut short, and drops it; after an orderly end there is no such write.
var endKey = []byte("fletch-end")

// verify reads the whole log, as the disk may have changed it since it was written. Like GetLog, it ends the goroutine
// at damage.
func (d *disk) verify() error {
	first, err := d.FirstIndex()
	if err != nil {
		return err
	}
	last, err := d.LastIndex()
	if err != nil {
		return err
	}
	end, err := d.GetUint64(endKey)
	if err != nil {
		return err
	}
	if last < end {
		return fmt.Errorf("the log ends at entry %d, not at %d as it was left: %w", last, end, errDamaged)
	}
	for i := first; i <= last && i > 0; i++ {
		var entry raft.Log
		if err := d.GetLog(i, &entry); err != nil {
			return fmt.Errorf("read entry %d of the log: %w", i, err)
		}
		if entry.Type != raft.LogCommand {
			continue
		}
		if _, err := checkEntry(entry.Data); err != nil {
			return fmt.Errorf("read entry %d of the log: %w", i, err)
		}
	}
	if end == 0 {
		return nil
	}
	return d.SetUint64(endKey, 0)
}

// markEnd remembers where the log ends, now that nobody writes it any more.
func (d *disk) markEnd() error {
	last, err := d.LastIndex()
	if err != nil {
		return err
	}
	return d.try("write the end of the log", func() error { return d.store.SetUint64(endKey, last) })
}
