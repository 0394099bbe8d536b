package plugins

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"fletch/fault"
)

// MaxBytes is the largest plugin.
const MaxBytes = 1 << 30

// ErrDamaged means that a plugin's bytes are not those that were built: another copy may be whole.
var ErrDamaged = errors.New("the plugin is damaged: copy or build it again")

// ErrNoCgo is what a program that was built without cgo says instead of opening plugins.
var ErrNoCgo = errors.New("this fletch was built without cgo and can't open plugins: build it with CGO_ENABLED=1 go build ./cmd/fletch, where gcc is installed")

// Preflight checks that this program can open the plugin, without running any code of it, and that its SHA-256 is the
// wanted one; none stands for any. Opening a plugin that does not pass may end the process, or misbehave later. The error
// is a *Mismatch, of class Permanent, if this program and this file will never fit; it is ErrDamaged if a copy of the file
// may.
func Preflight(path, wantSHA256 string) (*Manifest, error) {
	this, err := ThisBuild()
	if err != nil {
		return nil, fault.As(fault.Permanent, err)
	}
	return preflight(path, wantSHA256, this, Shared(), false)
}

// Fits is Preflight for a file whose SHA-256 is known, as a Store has just written it: all but reading the whole of it.
func Fits(path string) error {
	this, err := ThisBuild()
	if err != nil {
		return fault.As(fault.Permanent, err)
	}
	_, err = preflight(path, "", this, Shared(), true)
	return err
}

// preflight is Preflight for a program that was built in a given way, from given sources. The bytes of a
// trusted file are known to be right.
func preflight(path, wantSHA256 string, this *Build, sources map[string]string, trusted bool) (*Manifest, error) {
	if this.Settings["CGO_ENABLED"] != "1" {
		return nil, fault.As(fault.Permanent, ErrNoCgo)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe would block
	if err != nil {
		return nil, fault.As(fault.Permanent, fmt.Errorf("open the plugin: %w", err))
	}
	defer f.Close()
	m, err := unchanged(f, wantSHA256, this, sources, trusted)
	if mismatch, ok := errors.AsType[*Mismatch](err); ok {
		mismatch.Path = path
		return nil, fault.As(fault.Permanent, mismatch)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// file is what Preflight needs of an open one.
type file interface {
	io.ReaderAt
	Stat() (os.FileInfo, error)
}

// unchanged inspects a file, and sees that it is the same afterwards.
func unchanged(f file, wantSHA256 string, this *Build, sources map[string]string, trusted bool) (*Manifest, error) {
	before, err := f.Stat()
	if err != nil {
		return nil, err
	}
	m, found := inspect(f, before, wantSHA256, this, sources, trusted)
	after, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		return nil, errors.New("it changed while it was being read: try again once it is written")
	}
	return m, found
}

// inspect checks the open file: first that it is whole, then what it says of itself.
func inspect(f io.ReaderAt, info os.FileInfo, wantSHA256 string, this *Build, sources map[string]string, trusted bool) (*Manifest, error) {
	size := info.Size()
	switch {
	case !info.Mode().IsRegular():
		return nil, mismatchf("it is no regular file")
	case size > MaxBytes:
		return nil, mismatchf("it has %d bytes, more than a plugin may have (%d)", size, int64(MaxBytes))
	}
	m, notRead := readManifest(f, size)
	var damaged error
	shared := size // bytes of the shared object
	if notRead == nil {
		shared = m.Size
	}
	if !trusted {
		sharedSHA256, fileSHA256, err := sums(f, shared, size)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read the plugin: %w", err)
		case wantSHA256 != "" && fileSHA256 != wantSHA256:
			return nil, fmt.Errorf("%w: its SHA-256 is %s, want %s", ErrDamaged, fileSHA256, wantSHA256)
		case notRead == nil && sharedSHA256 != m.SHA256:
			damaged = fmt.Errorf("%w: the SHA-256 of its shared object is %s, its manifest says %s", ErrDamaged, sharedSHA256, m.SHA256)
		}
	}
	header, err := readHeader(f, size)
	if err != nil {
		return nil, mismatchf("%w", err)
	}
	if header.machine != this.Settings["GOARCH"] {
		return nil, mismatchf("it is for %s, this fletch for %s", header.machine, this.Settings["GOARCH"])
	}
	if header.end > shared {
		return nil, fmt.Errorf("%w: it is cut off after %d bytes of at least %d", ErrDamaged, size, header.end)
	}
	if errors.Is(notRead, errNoManifest) {
		return nil, mismatchf("fletch build has not made it, or it is cut off: there is no manifest at its end")
	}
	if notRead != nil {
		return nil, mismatchf("%w", notRead)
	}
	if damaged != nil {
		return nil, damaged
	}
	build, err := buildinfo.Read(io.NewSectionReader(f, 0, shared))
	if err != nil {
		return nil, mismatchf("it does not say how it was built: %v", err)
	}
	if lines := differences(m, build, this, sources); len(lines) > 0 {
		return nil, &Mismatch{Differences: lines}
	}
	return m, nil
}

// Sum returns the SHA-256 of a plugin's file and its size.
func Sum(path string) (sum string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("open the plugin: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), size, err
}

// sums returns the SHA-256 of the first bytes of a file and that of all.
func sums(f io.ReaderAt, first, size int64) (sumFirst, sumAll string, err error) {
	h := sha256.New()
	for _, part := range []*io.SectionReader{io.NewSectionReader(f, 0, first), io.NewSectionReader(f, first, size-first)} {
		n, err := io.Copy(h, part)
		if err == nil && n < part.Size() {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return "", "", err
		}
		if sumFirst == "" {
			sumFirst = hex.EncodeToString(h.Sum(nil))
		}
	}
	return sumFirst, hex.EncodeToString(h.Sum(nil)), nil
}
