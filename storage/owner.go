package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A directory that must not outlive its process holds a file that the process keeps locked (flock). The kernel drops
// the lock with the process, however that dies, so whoever can take it knows that the owner is dead.
//
//   - claim: make the directory under a name that nobody else uses, make the lock file, lock it, and see that it still
//     stands where it was made. A sweeper that comes in between makes one of these fail; the claim begins again.
//   - sweep: lock the file of a directory, see that it still stands there, rename the directory to <name>.dead, remove
//     it. The rename frees the name at once, so that no new owner can step into a directory that is being emptied.
//
// A directory without a lock file is removed only if it is empty, or is named .dead already.
const (
	lockName   = "lock"
	deadSuffix = ".dead"
)

// owned is a directory that lives as long as its lock is held.
type owned struct {
	dir  string
	lock *os.File
}

// locks are the lock files that this process holds. An owner that nobody refers to any more is still one: without this
// the garbage collector would close its file, and with it give up the lock.
var locks struct {
	sync.Mutex
	held map[*os.File]struct{}
}

func hold(lock *os.File) {
	locks.Lock()
	defer locks.Unlock()
	if locks.held == nil {
		locks.held = map[*os.File]struct{}{}
	}
	locks.held[lock] = struct{}{}
}

func letGo(lock *os.File) {
	locks.Lock()
	defer locks.Unlock()
	delete(locks.held, lock)
}

// claims is how often claim tries. Among eight processes that do nothing but claim and sweep, one try in a few fails.
const claims = 100

// claim makes and locks a directory. name returns a fresh path at each call.
func claim(name func() string) (*owned, error) {
	var err error
	for range claims {
		var o *owned
		if o, err = tryClaim(name()); err == nil {
			return o, nil
		}
		if !errors.Is(err, errSwept) {
			break
		}
	}
	return nil, err
}

var errSwept = errors.New("removed by another process while it was being made")

func tryClaim(dir string) (*owned, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if isMissing(err) {
		return nil, fmt.Errorf("directory %s: %w", dir, errSwept)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	taken, err := takeLock(lock)
	if err != nil || !taken {
		if err == nil {
			return nil, errors.Join(fmt.Errorf("directory %s: %w", dir, errSwept), lock.Close())
		}
		return nil, errors.Join(err, lock.Close(), os.RemoveAll(dir))
	}
	hold(lock)
	return &owned{dir: dir, lock: lock}, nil
}

// takeLock locks an open lock file unless it is locked already or no longer stands at its path.
func takeLock(lock *os.File) (bool, error) {
	err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock %s: %w (the file system must support flock)", lock.Name(), err)
	}
	held, err := lock.Stat()
	if err != nil {
		return false, err
	}
	found, err := os.Lstat(lock.Name())
	if isMissing(err) {
		return false, nil
	}
	return err == nil && os.SameFile(held, found), err
}

// remove removes the directory and gives up the lock. A second call does nothing.
func (o *owned) remove() error {
	if o.lock == nil {
		return nil
	}
	letGo(o.lock)
	err := errors.Join(os.RemoveAll(o.dir), o.lock.Close())
	o.lock = nil
	return err
}

// sweep removes the directories in parent that isOurs accepts by name and whose owners are dead. What it cannot remove it
// leaves alone.
func sweep(parent string, isOurs func(name string) bool) {
	dir, err := os.Open(parent)
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(1024)
		for _, name := range names {
			if isOurs(name) {
				sweepDir(filepath.Join(parent, name)) //nolint:errcheck // leftovers are no reason to fail
			}
		}
		if err != nil {
			return
		}
	}
}

func sweepDir(path string) error {
	if info, err := os.Lstat(path); err != nil || !info.IsDir() {
		return err
	}
	if strings.HasSuffix(path, deadSuffix) {
		return os.RemoveAll(path)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return os.Remove(path) // fails unless it is empty
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if taken, err := takeLock(lock); err != nil || !taken {
		return err
	}
	dead := path + deadSuffix
	if err := os.Rename(path, dead); err != nil {
		return err
	}
	return os.RemoveAll(dead)
}
