package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"fletch/fault"
)

// local is the provider of the local file system.
type local struct{}

// localPath turns a name into a clean path.
func localPath(name string) (string, error) {
	if name == "" {
		return "", permanentf("an input or output has no name: give a path")
	}
	path, isURL := strings.CutPrefix(name, "file://")
	if isURL && !strings.HasPrefix(path, "/") {
		return "", permanentf("%s: a file URL holds an absolute path and so three slashes, as in file:///data", name)
	}
	return filepath.Clean(path), nil
}

// localFile is an open regular file.
type localFile struct {
	*os.File
	size int64
}

func (f *localFile) Size() int64 { return f.size }

// Open refuses all but regular files, without waiting for the writer of a fifo.
func (local) Open(_ context.Context, name string) (File, error) {
	path, err := localPath(name)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	switch {
	case isMissing(err):
		// Another machine may still have it, so this spends the attempts before it fails the job.
		return nil, fault.As(fault.User, fmt.Errorf("input %s does not exist on this machine: inputs must stay, under one name everywhere, until the job ends", path))
	case errors.Is(err, fs.ErrPermission):
		return nil, fault.As(fault.User, fmt.Errorf("input %s may not be read by this user: grant the permission: %w", path, err))
	case err != nil:
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Join(notRegular(path, info.Mode()), f.Close())
	}
	return &localFile{File: f, size: info.Size()}, nil
}

func notRegular(path string, mode fs.FileMode) error {
	kind := "special file"
	switch {
	case mode.IsDir():
		kind = "directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "named pipe"
	case mode&fs.ModeSocket != 0:
		kind = "socket"
	case mode&fs.ModeDevice != 0:
		kind = "device"
	}
	return permanentf("input %s is a %s: only regular files can be read", path, kind)
}
