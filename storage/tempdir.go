package storage

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

var tempName = regexp.MustCompile(`^fletch-[0-9a-f]{16}(\.dead)?$`)

// TempDir makes a directory fletch-<random> in parent, or in the system's directory for temporary files if parent is
// empty, and removes those that dead processes left there. Only this user can enter it. release removes it with all
// that it holds.
func TempDir(parent string) (dir string, release func() error, err error) {
	if parent == "" {
		parent = os.TempDir()
	}
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return "", nil, fmt.Errorf("make the directory for temporary files: %w", err)
	}
	SweepTemp(parent)
	o, err := claim(func() string { return filepath.Join(parent, "fletch-"+randomHex()) })
	if err != nil {
		return "", nil, fmt.Errorf("make a directory for temporary files: %w", err)
	}
	return o.dir, o.remove, nil
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
