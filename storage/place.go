package storage

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"fletch/engine/plan"
)

// place gives a committed part its final name as well: a link, or where the file system has none, a new name. It may find
// that done.
func (o *dirOutput) place(p plan.Part, to string) error {
	from := filepath.Join(o.staging, p.Name)
	err := o.move(p, from, to)
	if errors.Is(err, os.ErrExist) || isMissing(err) {
		return o.placed(p, from, to, err)
	}
	return err
}

func (o *dirOutput) move(p plan.Part, from, to string) error {
	found, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if found.Size() != p.Bytes {
		return permanentf("part %s has %d bytes, %d were committed", p.Name, found.Size(), p.Bytes)
	}
	err = o.disk.link(from, to)
	if isLinkless(err) {
		err = o.disk.renameNoReplace(from, to)
	}
	return err
}

// placed looks whether a part that could not be placed, because of err, is there already.
func (o *dirOutput) placed(p plan.Part, from, to string, err error) error {
	there, missing := os.Lstat(to)
	if missing != nil {
		return err
	}
	part, gone := os.Lstat(from)
	switch {
	case isMissing(gone): // renamed, it seems, by a process that may have died: see what it left
		return checkContent(to, p)
	case gone != nil:
		return gone
	case os.SameFile(part, there):
		return nil
	default:
		return permanentf("%s is made of another part already, not of %s", filepath.Base(to), p.Name)
	}
}

// checkContent compares a file with what was committed of it.
func checkContent(path string, p plan.Part) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := crc32.New(castagnoli)
	n, err := io.Copy(sum, f)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if n != p.Bytes || sum.Sum32() != p.CRC32C {
		return permanentf("%s has %d bytes with the checksum %08x, part %s was committed with %d and %08x",
			path, n, sum.Sum32(), p.Name, p.Bytes, p.CRC32C)
	}
	return nil
}
