package plugins

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"fletch/fault"
)

// Store keeps plugins in a directory, each under its SHA-256:
//
//	<dir>/<64 hexadecimal digits>   a whole plugin, never changed
//	<dir>/.put-<random>             one that is being written
//
// The directory belongs to one process at a time. A Store may be used by several goroutines at once.
type Store struct {
	dir   string
	cache bool
	mu    sync.Mutex // between the look at a plugin's age and its removal nobody may ask for it
}

const putPattern = ".put-*"

// NewStore opens the store in a directory, makes the directory if there is none, and removes what was not written whole.
func NewStore(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the directory for plugins: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, putPattern))
	if err != nil {
		return nil, err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("remove what is left of a plugin: %w", err)
		}
	}
	return &Store{dir: dir}, nil
}

// NewCache opens a store of plugins that can be had again: a crash of the machine may damage one, and Preflight will see it.
func NewCache(dir string) (*Store, error) {
	s, err := NewStore(dir)
	if err == nil {
		s.cache = true
	}
	return s, err
}

// Put stores the plugin that r yields; it returns once the plugin is safe on disk, unless the store is a cache. If the store has it already, r is not
// read. A plugin of another size or SHA-256 than named is refused.
func (s *Store) Put(ctx context.Context, sum string, size int64, r io.Reader) (err error) {
	if err := checkSum(sum); err != nil {
		return err
	}
	if size < 0 || size > MaxBytes {
		return fault.As(fault.Permanent, fmt.Errorf("the plugin has %d bytes, more than a plugin may have (%d)", size, int64(MaxBytes)))
	}
	if _, ok := s.Path(sum); ok {
		return nil
	}
	f, err := os.CreateTemp(s.dir, putPattern)
	if err != nil {
		return fmt.Errorf("store a plugin: %w", err)
	}
	err = copyVerified(ctx, f, sum, size, r)
	if err == nil {
		err = f.Chmod(0o444)
	}
	if err == nil && !s.cache {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(fmt.Errorf("store a plugin: %w", err), os.Remove(f.Name()))
	}
	// Whoever else has put the same plugin meanwhile has put the same bytes.
	if err := os.Rename(f.Name(), filepath.Join(s.dir, sum)); err != nil {
		return errors.Join(fmt.Errorf("store a plugin: %w", err), os.Remove(f.Name()))
	}
	if s.cache {
		return nil
	}
	return syncDir(s.dir)
}

// copyVerified writes what r yields, which must be size bytes with that SHA-256.
func copyVerified(ctx context.Context, w io.Writer, sum string, size int64, r io.Reader) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, h), &cancelled{ctx, io.LimitReader(r, size+1)})
	if err != nil {
		return err
	}
	if n > size {
		return fmt.Errorf("%w: it has more than the %d bytes that were named", ErrDamaged, size)
	}
	if n < size {
		return fmt.Errorf("%w: it has %d bytes of %d", ErrDamaged, n, size)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != sum {
		return fmt.Errorf("%w: its SHA-256 is %s, want %s", ErrDamaged, got, sum)
	}
	return nil
}

// cancelled is a reader that fails once ctx has ended.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// Path returns the file of a plugin, if the store has it. To ask for a plugin is to use it: Collect leaves it for a while.
func (s *Store) Path(sum string) (path string, ok bool) {
	if checkSum(sum) != nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path = filepath.Join(s.dir, sum)
	now := time.Now()
	return path, os.Chtimes(path, now, now) == nil
}

// Collect removes the plugins that keep does not want and that nobody has put or asked for within grace.
func (s *Store) Collect(keep func(sum string) bool, grace time.Duration) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("collect plugins: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if sum := e.Name(); checkSum(sum) == nil && !keep(sum) {
			errs = append(errs, s.collect(filepath.Join(s.dir, sum), grace))
		}
	}
	return errors.Join(errs...)
}

func (s *Store) collect(path string, grace time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(path)
	if err == nil && time.Since(info.ModTime()) >= grace {
		err = os.Remove(path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("collect plugins: %w", err)
	}
	return nil
}

// checkSum sees that a name is a SHA-256 and nothing else, as it comes from other machines and becomes a file's.
func checkSum(sum string) error {
	if len(sum) != hex.EncodedLen(sha256.Size) || strings.Trim(sum, "0123456789abcdef") != "" {
		return fault.As(fault.Permanent, fmt.Errorf("%.80q is no SHA-256: want 64 hexadecimal digits in lower case", sum))
	}
	return nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync a directory: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
