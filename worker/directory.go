package worker

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// directory is a worker's data directory:
//
//	lock          held by the process that uses the directory
//	worker.json   identity: format, the worker's id, its cluster's
//	plugins/      of jobs, by their SHA-256
//	logs/         of jobs
//	work/         intermediate data and scratch directories; swept when a worker starts and ends
type directory struct {
	path     string
	lock     *os.File
	identity identity
	claimed  bool // it is this worker's
}

// identity is what a worker is across restarts.
type identity struct {
	Format  int    `json:"format"`
	ID      string `json:"id"`
	Cluster string `json:"cluster,omitempty"` // empty before the first leader has accepted the worker
}

// directoryFormat is the version of the layout above.
const directoryFormat = 1

// openDirectory makes or opens a data directory and locks it. The identity in it has to be that of id and cluster, where
// these are given.
func openDirectory(path, id, cluster string) (*directory, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the worker's data directory: %w", err)
	}
	d := &directory{path: path}
	if err := d.open(id, cluster); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *directory) open(id, cluster string) error {
	var err error
	if d.lock, err = os.OpenFile(filepath.Join(d.path, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("another worker uses %s: end it, or choose another data directory", d.path)
		}
		return fmt.Errorf("lock %s: %w", d.path, err)
	}
	if err := d.readIdentity(); err != nil {
		return err
	}
	if err := d.claim(id, cluster); err != nil {
		return err
	}
	d.claimed = true
	// What an earlier process left there went with its executors: nobody can ask for it by this one's incarnation.
	if err := sweep(d.work()); err != nil {
		return fmt.Errorf("sweep intermediate data: %w", err)
	}
	for _, dir := range []string{d.work(), d.logs(), d.plugins()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (d *directory) plugins() string { return filepath.Join(d.path, "plugins") }
func (d *directory) logs() string    { return filepath.Join(d.path, "logs") }
func (d *directory) work() string    { return filepath.Join(d.path, "work") }
func (d *directory) file() string    { return filepath.Join(d.path, "worker.json") }

// readIdentity reads the identity; it stays empty in a new directory.
func (d *directory) readIdentity() error {
	b, err := os.ReadFile(d.file())
	if errors.Is(err, fs.ErrNotExist) {
		return d.mustBeEmpty()
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &d.identity); err != nil {
		return fmt.Errorf("%s: %w: this is no worker's data directory, or a damaged one; choose another, or remove it", d.file(), err)
	}
	switch v := d.identity.Format; {
	case v > directoryFormat:
		return fmt.Errorf("%s has format %d, and this version of fletch reads format %d: use the newer fletch that wrote it", d.path, v, directoryFormat)
	case v < 1 || !validName(d.identity.ID):
		return fmt.Errorf("%s is damaged: remove %s and the worker starts anew", d.file(), d.path)
	}
	return nil
}

// mustBeEmpty refuses a directory that holds anything else: sweeping it would delete what is not the worker's.
func (d *directory) mustBeEmpty() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "lock" && e.Name() != filepath.Base(d.file())+".tmp" {
			return fmt.Errorf("%s holds %s but no worker.json: it is no worker's data directory; choose an empty or a new one", d.path, e.Name())
		}
	}
	return nil
}

// claim makes the directory that of a worker and a cluster, or finds that it is another's.
func (d *directory) claim(id, cluster string) error {
	want := identity{
		Format:  directoryFormat,
		ID:      cmp.Or(d.identity.ID, id, "worker-"+lowerText()),
		Cluster: cmp.Or(d.identity.Cluster, cluster),
	}
	switch {
	case id != "" && id != want.ID:
		return fmt.Errorf("%s is worker %s's, not %s's: choose another data directory", d.path, want.ID, id)
	case cluster != "" && cluster != want.Cluster:
		return fmt.Errorf("%s belongs to cluster %s, not to %s: choose another data directory, or the masters of that cluster", d.path, want.Cluster, cluster)
	case want == d.identity:
		return nil
	}
	if err := d.writeIdentity(want); err != nil {
		return fmt.Errorf("write %s: %w", d.file(), err)
	}
	d.identity = want
	return nil
}

// writeIdentity replaces the identity as a whole.
func (d *directory) writeIdentity(want identity) error {
	b, err := json.Marshal(want)
	if err != nil {
		return err
	}
	temporary := d.file() + ".tmp"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, d.file()); err != nil {
		return err
	}
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Executors of an agent that died may still be writing while they are ended by the kernel.
const (
	sweepTries = 40
	sweepPause = 50 * time.Millisecond
)

// sweep removes a directory with all that is in it.
func sweep(dir string) (err error) {
	for range sweepTries {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		time.Sleep(sweepPause)
	}
	return err
}

// close removes intermediate data and gives the lock up.
func (d *directory) close() error {
	if d.lock == nil {
		return nil
	}
	var err error
	if d.claimed {
		err = os.RemoveAll(d.work())
	}
	return errors.Join(err, d.lock.Close())
}

// lowerText returns random text of lower-case letters and digits that no other call returns.
func lowerText() string {
	b := []byte(rand.Text()[:13]) // 65 bits
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
