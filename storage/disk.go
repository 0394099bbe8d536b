package storage

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// disk holds the steps of an output that a full or failing disk can break, or a process not survive; tests break them.
type disk struct {
	create          func(path string) (partFile, error) // a new file; an old one is an error
	mkdir           func(path string) error
	link            func(from, to string) error
	rename          func(from, to string) error // replaces a file by a file, an empty directory by a directory
	renameNoReplace func(from, to string) error
	syncDir         func(path string) error
	remove          func(path string) error // with all that is in it
}

var systemDisk = disk{
	create: func(path string) (partFile, error) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		if err != nil {
			return nil, err
		}
		return diskFile{f}, nil
	},
	mkdir:           func(path string) error { return os.Mkdir(path, 0o777) },
	link:            os.Link,
	rename:          rename,
	renameNoReplace: renameNoReplace,
	syncDir:         syncDir,
	remove:          os.RemoveAll,
}

type diskFile struct{ *os.File }

func (f diskFile) Remove() error {
	if err := os.Remove(f.Name()); err != nil && !isMissing(err) {
		return err
	}
	return nil
}

// rename is what os.Rename would be if it replaced empty directories, too.
func rename(from, to string) error {
	if err := unix.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// renameNoReplace renames a directory unless something has the new name. Where the file system cannot promise that (some
// network and FUSE file systems), it looks first and renames then: all that this can replace is an empty directory that
// appears in between.
func renameNoReplace(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EOPNOTSUPP):
		return renameIfAbsent(from, to)
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
}

func renameIfAbsent(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: unix.EEXIST}
	}
	return os.Rename(from, to)
}

// isLinkless reports that the file system has no hard links.
func isLinkless(err error) bool {
	for _, e := range []error{unix.EPERM, unix.EOPNOTSUPP, unix.ENOSYS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
