package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A reservation is the staging directory of a cluster's job. Many processes write to it, and whichever master leads
// publishes it or gives it up; so it belongs to no process, has no lock, and a name that no sweeper looks at:
//
//	.<base>.fletch-.cluster/<job>/                      the staging directory
//	.<base>.fletch-<job>.new-<16 hex digits>/<job>/     one that is being made
//	.<base>.fletch-<job>.dead/                          one that is being removed
//
// It comes by the rename of the outer directory with the inner one in it, which fails while another job's is there: that
// is what keeps two jobs from one output. It goes by the rename of the inner one, which takes away this job's and no
// other. An outer directory that is empty reserves nothing.
type reservation struct {
	job   string
	outer string
	half  string // while it is being made, without the digits: each process has its own
	dead  string // while it is being removed
	disk  disk
}

func reservationOf(path, job string, d disk) *reservation {
	parent, prefix := stagingOf(path)
	return &reservation{
		job:   job,
		outer: filepath.Join(parent, prefix+".cluster"),
		half:  filepath.Join(parent, prefix+job+".new-"),
		dead:  filepath.Join(parent, prefix+job+deadSuffix),
		disk:  d,
	}
}

func (r *reservation) dir() string { return filepath.Join(r.outer, r.job) }

// holder returns the job that has the reservation, if any.
func (r *reservation) holder() string {
	entries, err := os.ReadDir(r.outer)
	if err != nil || len(entries) == 0 {
		return ""
	}
	return entries[0].Name()
}

// make reserves the output. It may be called again, by several processes at once.
func (r *reservation) make(path string) error {
	var err error
	for range claims {
		if _, there := os.Lstat(r.dir()); there == nil {
			return nil
		}
		half := r.half + randomHex()
		if err = os.MkdirAll(filepath.Join(half, r.job), 0o700); err == nil {
			err = r.disk.rename(half, r.outer)
		}
		if err == nil {
			return nil
		}
		if left := r.disk.remove(half); left != nil {
			return errors.Join(err, left)
		}
		if holder := r.holder(); holder != "" && holder != r.job {
			return reservedError(path, holder)
		}
		if !errors.Is(err, fs.ErrExist) && !isMissing(err) { // missing: swept while it was empty
			return err
		}
	}
	return err
}

// remove gives the reservation up, with all that was staged. It may be called again, and goes on where it stopped.
func (r *reservation) remove() error {
	if err := r.disk.remove(r.dead); err != nil {
		return err
	}
	if err := r.disk.rename(r.dir(), r.dead); err != nil && !isMissing(err) {
		return err
	}
	if err := errors.Join(r.disk.remove(r.dead), r.removeHalf()); err != nil {
		return err
	}
	if err := unix.Rmdir(r.outer); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) { // another job's by now
		return err
	}
	return nil
}

// removeHalf removes what processes left that died while they made it.
func (r *reservation) removeHalf() error {
	parent, prefix := filepath.Split(r.half)
	entries, err := os.ReadDir(parent)
	if isMissing(err) {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			err = errors.Join(err, r.disk.remove(filepath.Join(parent, e.Name())))
		}
	}
	return err
}

// check says why what was to stand in the staging directory can't be found or used.
func (r *reservation) check() error {
	info, err := os.Lstat(r.dir())
	switch {
	case err == nil && info.IsDir():
		return nil
	case errors.Is(err, fs.ErrPermission):
		return permanentf("staging directory %s may not be entered by this user: masters and workers need to run as the same one: %w", r.dir(), err)
	case err != nil && !isMissing(err):
		return fmt.Errorf("staging directory: %w", err)
	}
	if holder := r.holder(); holder != "" {
		return permanentf("staging directory %s is gone, and job %s writes there: the job has ended", r.dir(), holder)
	}
	return permanentf("staging directory %s is not visible on this machine: masters and workers need the same file system under the same name", r.dir())
}

// reservedError is the answer to an output that another job is writing.
func reservedError(path, holder string) error {
	parent, prefix := stagingOf(path)
	return permanentf("job %s of a cluster is writing output %s: wait for its end, cancel it, or choose another; if its cluster is gone for good, remove %s",
		holder, path, filepath.Join(parent, prefix+".cluster"))
}
