// Package storage is where a job's bytes come from and go to. It lists inputs and cuts them into splits, opens input
// files, publishes an output whole or not at all, and hands out temporary directories that outlive no process for long.
// It knows names and bytes, not records.
//
// A name without a URL scheme, and a file:// URL, is a path of the local file system. Every other scheme belongs to a
// Provider that a blank import registers, as database drivers are. Layout of an output: docs/format/output.md.
package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"fletch/engine/plan"
	"fletch/fault"
)

// Info names one input file.
type Info struct {
	Name string // as Open takes it
	Size int64  // in bytes
}

// File is an open input file. It may be read by several goroutines at once; whoever opened it closes it.
type File interface {
	io.ReaderAt
	io.Closer
	// Size is the number of bytes when the file was opened.
	Size() int64
}

// Provider reads one kind of storage. Names carry their scheme.
type Provider interface {
	// List returns the regular files that pattern names: one file, all files below a directory, or a glob's matches.
	// No file at all is an error, which names the pattern.
	List(ctx context.Context, pattern string) ([]Info, error)
	// Open opens one file that List returned.
	Open(ctx context.Context, name string) (File, error)
}

var providers = struct {
	sync.RWMutex
	byScheme map[string]Provider
}{byScheme: map[string]Provider{"": local{}, "file": local{}}}

// Register makes names that begin with scheme:// readable through p. It panics if the scheme is taken, since two
// packages that claim one scheme are a mistake of the program's build.
func Register(scheme string, p Provider) {
	providers.Lock()
	defer providers.Unlock()
	if _, taken := providers.byScheme[scheme]; taken {
		panic(fmt.Sprintf("storage: scheme %q is registered twice", scheme))
	}
	providers.byScheme[scheme] = p
}

// Open opens an input file.
func Open(ctx context.Context, name string) (File, error) {
	p, err := providerOf(name)
	if err != nil {
		return nil, err
	}
	return p.Open(ctx, name)
}

// OpenRange opens the file of r and refuses one whose size is no longer what it was when the splits were cut: its
// ranges would no longer hold the same records.
func OpenRange(ctx context.Context, r plan.FileRange) (File, error) {
	f, err := Open(ctx, r.Path)
	if err != nil {
		return nil, err
	}
	if f.Size() == r.Size {
		return f, nil
	}
	err = fmt.Errorf("input %s changed while the job ran, from %d to %d bytes: run the job again once nothing writes to it", r.Path, r.Size, f.Size())
	return nil, errors.Join(fault.As(fault.User, err), f.Close())
}

func providerOf(name string) (Provider, error) {
	scheme := schemeOf(name)
	providers.RLock()
	p, ok := providers.byScheme[scheme]
	providers.RUnlock()
	if !ok {
		return nil, permanentf("input %s: no storage is registered for %q: import the package that provides it", name, scheme+"://")
	}
	return p, nil
}

// schemeOf returns the URL scheme of name, which is empty for a path.
func schemeOf(name string) string {
	scheme, _, ok := strings.Cut(name, "://")
	if !ok || scheme == "" {
		return ""
	}
	for i, c := range []byte(scheme) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(c))) {
			return ""
		}
	}
	return scheme
}

// permanentf makes an error that no further attempt can mend.
func permanentf(format string, args ...any) error {
	return fault.As(fault.Permanent, fmt.Errorf(format, args...))
}

// isMissing reports whether err says that a file or one of the directories above it does not exist.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}
