package storage

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

var tempName = regexp.MustCompile(`^fletch-[0-9a-f]{16}(\.dead)?$`)

// TempDir makes a directory fletch-<random> in parent, or in the system's directory for temporary files if parent is
// empty, and removes those that dead processes left there. Only this user can enter it. release removes it with all
// that it holds, and with the directories above it that it had to make, if nothing else is in them by then.
func TempDir(parent string) (dir string, release func() error, err error) {
	if parent == "" {
		parent = os.TempDir()
	}
	made, err := makeAll(parent)
	if err != nil {
		removeEmpty(made)
		return "", nil, fmt.Errorf("make the directory for temporary files: %w", err)
	}
	SweepTemp(parent)
	o, err := claim(func() string { return filepath.Join(parent, "fletch-"+randomHex()) })
	if err != nil {
		removeEmpty(made)
		return "", nil, fmt.Errorf("make a directory for temporary files: %w", err)
	}
	return o.dir, func() error {
		err := o.remove()
		removeEmpty(made)
		return err
	}, nil
}

// makeAll makes a directory and those above it, and returns the ones that were not there, the outermost first.
func makeAll(dir string) (made []string, err error) {
	_, err = os.Stat(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, os.MkdirAll(dir, 0o777) // which says why if it is none
	}
	if above := filepath.Dir(dir); above != dir {
		if made, err = makeAll(above); err != nil {
			return made, err
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil { // another process may have made it meanwhile
		return made, err
	}
	return append(made, dir), nil
}

// removeEmpty removes directories from the last to the first, but for those that somebody uses.
func removeEmpty(dirs []string) {
	for i := len(dirs) - 1; i >= 0 && os.Remove(dirs[i]) == nil; i-- {
	}
}

// SweepTemp removes the directories that dead processes left in parent, or in the system's directory for temporary files
// if parent is empty.
func SweepTemp(parent string) {
	if parent == "" {
		parent = os.TempDir()
	}
	sweep(parent, tempName.MatchString)
}

func randomHex() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
