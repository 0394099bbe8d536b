package shuffle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/coro"
)

// Config sets a Store up.
type Config struct {
	// Dir is where attempts write what memory does not hold. It is made if it is missing.
	Dir string
	// MemoryBytes bounds the encoded frames in memory, of all outputs and writers together. Zero: all go to Dir.
	MemoryBytes int64
	// BufferBytes bounds the memory in which one writer collects rows before it encodes them. Default: 8 MiB.
	BufferBytes int64
	// FrameBytes is the size at which a partition's rows become a frame. Default: so that the partitions of an exchange
	// fill a quarter of BufferBytes, but between 64 KiB and 1 MiB. More would not pay: what is scattered into should
	// stay in the processor's cache, and beyond 64 KiB a frame's own cost is below 2 ns a row.
	FrameBytes int

	// Durable has committed outputs outlive the Store and its process: none stays in the process's memory. MemoryBytes
	// bounds the frames that are not yet committed.
	Durable bool
	// Place, if set, returns an empty file for the output of an attempt, of so many bytes, or nil if the output should go
	// to a file in Dir. It serves Durable outputs. It runs on the attempt's coroutine; the Store owns the file.
	Place func(c *coro.Coroutine, attempt string, bytes int64) (*os.File, error)
	// Find, if set, returns the file of an output on this machine that this Store has not written, or nil if it lies in
	// Dir, or nowhere. It runs on the reading coroutine; the Store owns the file.
	Find func(c *coro.Coroutine, attempt string) (*os.File, error)
	// Fetch reads outputs of other workers. Without it they count as refused.
	Fetch Fetcher
}

const (
	defaultBufferBytes = 8 << 20
	minFrameBytes      = 64 << 10
	maxFrameBytes      = 1 << 20
)

func (c *Config) setDefaults() {
	if c.BufferBytes == 0 {
		c.BufferBytes = defaultBufferBytes
	}
}

func (c *Config) validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("shuffle: Dir is missing"))
	}
	if c.MemoryBytes < 0 || c.BufferBytes < 0 || c.FrameBytes < 0 {
		errs = append(errs, errors.New("shuffle: MemoryBytes, BufferBytes and FrameBytes must not be negative"))
	}
	return errors.Join(errs...)
}

// frameBytes returns the size of a frame of an exchange with so many partitions.
func (c *Config) frameBytes(partitions int) int64 {
	if c.FrameBytes > 0 {
		return int64(c.FrameBytes)
	}
	return min(max(c.BufferBytes/int64(4*partitions), minFrameBytes), maxFrameBytes)
}

// errClosed means that the Store has been closed.
var errClosed = errors.New("shuffle store is closed")

// Store holds the shuffle outputs of one process.
type Store struct {
	config  Config
	budget  budget
	files   files
	madeDir bool

	mu struct {
		sync.Mutex
		closed  bool
		writers map[string]*Writer // not yet committed or discarded, by attempt
		outputs map[string]*output // committed, by attempt
	}
}

// files is where outputs go, for tests to break.
type files struct {
	create func(path string) (io.WriteCloser, error)
	open   func(path string) (readableFile, error)
}

type readableFile interface {
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
}

var osFiles = files{
	create: func(path string) (io.WriteCloser, error) {
		return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	},
	open: func(path string) (readableFile, error) { return os.Open(path) },
}

// NewStore returns an empty Store.
func NewStore(config Config) (*Store, error) {
	config.setDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	s := &Store{config: config, files: osFiles}
	s.budget.limit = config.MemoryBytes
	s.mu.writers = map[string]*Writer{}
	s.mu.outputs = map[string]*output{}
	if _, err := os.Stat(config.Dir); errors.Is(err, fs.ErrNotExist) {
		s.madeDir = true
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make shuffle directory: %w", err)
	}
	return s, nil
}

// NewWriter returns a Writer for an attempt. The attempt's name is unique in the Store and becomes a file's name.
func (s *Store) NewWriter(c *coro.Coroutine, attempt string) (*Writer, error) {
	if attempt == "" || strings.HasPrefix(attempt, ".") || strings.ContainsAny(attempt, "/\\\x00") {
		return nil, fmt.Errorf("shuffle: attempt %q is no name for a file", attempt)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return nil, errClosed
	}
	if s.mu.writers[attempt] != nil || s.mu.outputs[attempt] != nil {
		return nil, fmt.Errorf("shuffle: attempt %s has written already", attempt)
	}
	final := filepath.Join(s.config.Dir, FileName(attempt))
	w := &Writer{
		store:   s,
		c:       c,
		attempt: attempt,
		file:    dataFile{files: s.files, temporary: final + ".tmp", final: final},
	}
	s.mu.writers[attempt] = w
	return w, nil
}

// NewReader returns a Reader of the partitions lo to hi-1 of an exchange: for each of them, the blocks of the producers
// in the given order.
func (s *Store) NewReader(c *coro.Coroutine, producers []Producer, exchange int, schema *arrow.Schema, lo, hi int) *Reader {
	attempts := make([]string, len(producers))
	for i, p := range producers {
		attempts[i] = p.Attempt
	}
	return &Reader{
		c:      c,
		schema: schema,
		walk:   walker{store: s, attempts: attempts, exchange: exchange, partition: lo, hi: hi},
	}
}

// commit makes out the output of w's attempt.
func (s *Store) commit(w *Writer, out *output) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed {
		return errClosed
	}
	delete(s.mu.writers, w.attempt)
	s.mu.outputs[w.attempt] = out
	return nil
}

// forget ends w, which has left nothing behind.
func (s *Store) forget(w *Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.writers, w.attempt)
}

// output returns a committed output, or nil.
func (s *Store) output(attempt string) *output {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.outputs[attempt]
}

// Remove deletes a committed attempt's output; one that is not there is no error. Readers that are at it fail with a
// LostError, or go on with what they hold already.
func (s *Store) Remove(attempt string) error {
	s.mu.Lock()
	out := s.mu.outputs[attempt]
	delete(s.mu.outputs, attempt)
	s.mu.Unlock()
	if out == nil {
		return nil
	}
	return s.drop(out)
}

func (s *Store) drop(out *output) error {
	s.budget.give(out.held)
	if out.path == "" {
		return nil
	}
	if err := os.Remove(out.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove shuffle output: %w", err)
	}
	return nil
}

// Close removes everything that the Store has created. The coroutines of its Writers and Readers have to have ended.
func (s *Store) Close() error {
	s.mu.Lock()
	writers, outputs := s.mu.writers, s.mu.outputs
	s.mu.closed = true
	s.mu.writers, s.mu.outputs = nil, nil
	s.mu.Unlock()
	var errs []error
	for _, w := range writers {
		w.letGo()
		errs = append(errs, w.file.remove())
	}
	for _, out := range outputs {
		errs = append(errs, s.drop(out))
	}
	if s.madeDir {
		// It stays if somebody else has put something into it.
		if err := os.Remove(s.config.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			errs = append(errs, fmt.Errorf("remove shuffle directory: %w", err))
		}
		s.madeDir = false
	}
	return errors.Join(errs...)
}

// budget counts the bytes of the frames in memory.
type budget struct {
	limit int64
	mu    struct {
		sync.Mutex
		used int64
	}
}

// take takes n bytes, or refuses.
func (b *budget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.used+n > b.limit {
		return false
	}
	b.mu.used += n
	return true
}

// give returns n bytes that were taken.
func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mu.used -= n
}
