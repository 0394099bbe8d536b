package replica

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// What stands in a replica's directory; see docs/format/raft.md.
const (
	lockName     = "lock"
	identityName = "replica.json"
	logDir       = "log"
	snapshotDir  = "snapshots"
)

// format is the version of the directory's layout, of the log's entries and of the snapshots: one number, as none of
// them is read without the others. It is another one too when a command makes something else of the same state, such as other
// stages of a job (plan.Stages, plan.Settle): masters that apply one log must come to one state.
const format = 2

// identity says whose directory it is. It is written once.
type identity struct {
	Format  int    `json:"format"`
	Cluster string `json:"cluster"`
	ID      string `json:"id"`
}

// directory is a replica's directory, locked against other processes.
type directory struct {
	path string
	lock *os.File
}

// openDirectory creates the directory, or checks that it is this replica's.
func openDirectory(path string, want identity) (*directory, error) {
	for _, dir := range []string{path, filepath.Join(path, logDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("create the replica's directory: %w", err)
		}
	}
	lock, err := lockFile(filepath.Join(path, lockName))
	if err != nil {
		return nil, err
	}
	d := &directory{path: path, lock: lock}
	if err := d.identify(want); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// lockFile takes the lock that the process's end, however it comes, gives back.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the replica's directory: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another process uses it: stop that one, or take another directory")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock the replica's directory %s: %w", filepath.Dir(name), err), f.Close())
	}
	return f, nil
}

// identify compares the identity that is written down with the one that is wanted, or writes it where there is none.
func (d *directory) identify(want identity) error {
	name := filepath.Join(d.path, identityName)
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return d.claim(name, want)
	}
	if err != nil {
		return fmt.Errorf("read the replica's identity: %w", err)
	}
	var have identity
	if err := json.Unmarshal(text, &have); err != nil {
		return fmt.Errorf("%s is damaged (%w): restore it, or move the directory away and add this master as a new one", name, err)
	}
	switch {
	case have.Format > want.Format:
		return fmt.Errorf("%s was written in format %d, by a newer version of fletch: this one reads format %d; run the newer one",
			d.path, have.Format, want.Format)
	case have.Format != want.Format:
		return fmt.Errorf("%s was written in format %d, by an older version of fletch: this one reads format %d; run the older one, or begin anew with empty directories on all masters",
			d.path, have.Format, want.Format)
	case have.Cluster != want.Cluster:
		return fmt.Errorf("%s belongs to cluster %s, not to %s: take another directory, or correct the cluster's identity",
			d.path, have.Cluster, want.Cluster)
	case have.ID != want.ID:
		return fmt.Errorf("%s belongs to master %s, not to %s: take another directory, or correct the master's ID", d.path, have.ID, want.ID)
	}
	return nil
}

// claim writes the identity into a directory without one, which must hold no log.
func (d *directory) claim(name string, want identity) error {
	entries, err := os.ReadDir(filepath.Join(d.path, logDir))
	if err != nil {
		return fmt.Errorf("read the replica's directory: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s has a log, but %s is missing: restore it, or move the directory away and add this master as a new one",
			d.path, identityName)
	}
	text, err := json.Marshal(want)
	if err != nil {
		return err
	}
	if err := writeFile(name, append(text, '\n')); err != nil {
		return fmt.Errorf("write the replica's identity: %w", err)
	}
	return nil
}

// writeFile puts a small file in place so that a crash leaves all of it or nothing.
func writeFile(name string, text []byte) error {
	temp := name + ".tmp"
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, name); err != nil {
		return err
	}
	// The directory itself may be new: its own entry must last as well.
	return errors.Join(syncDir(filepath.Dir(name)), syncDir(filepath.Dir(filepath.Dir(name))))
}

func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *directory) close() error {
	if err := d.lock.Close(); err != nil {
		return fmt.Errorf("unlock the replica's directory: %w", err)
	}
	return nil
}
