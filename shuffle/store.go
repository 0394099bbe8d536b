package shuffle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/budget"
	"fletch/engine/coro"
)

// errClosed means that the Store has been closed.
var errClosed = errors.New("shuffle store is closed")

// Store holds the shuffle outputs of one process.
type Store struct {
	config  Config
	budget  counter // of frames in memory
	ahead   counter // of what Readers fetch before they need it
	files   files
	madeDir bool

	mu struct {
		sync.Mutex
		closed  bool
		writers map[string]*Writer // not yet committed or discarded, by attempt
		outputs map[string]*output // committed, by attempt
	}
}

// NewStore returns an empty Store.
func NewStore(config Config) (*Store, error) {
	config.setDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	s := &Store{config: config, files: osFiles}
	s.SetMemory(config.MemoryBytes, config.AheadBytes)
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

// SetMemory changes Config.MemoryBytes and Config.AheadBytes. What holds more by then spills when it next encodes a frame.
func (s *Store) SetMemory(memoryBytes, aheadBytes int64) {
	s.budget.set(memoryBytes)
	s.ahead.set(aheadBytes)
}

// NewWriter returns a Writer for an attempt, which counts what it collects on share. The attempt's name is unique in the
// Store and becomes a file's name.
func (s *Store) NewWriter(c *coro.Coroutine, share *budget.Share, attempt string) (*Writer, error) {
	if attempt == "" || strings.HasPrefix(attempt, ".") || strings.ContainsAny(attempt, "/\\,\x00") {
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
		share:   share,
		attempt: attempt,
		file:    draft{files: &s.files, temporary: final + ".tmp", final: final},
	}
	w.bufferBytes = min(max(share.Sure()/bufferShare, minBufferBytes), s.config.BufferBytes)
	s.mu.writers[attempt] = w
	return w, nil
}

// NewReader returns a Reader of the partitions lo to hi-1 of an exchange: for each of them, the blocks of the producers
// in the given order.
func (s *Store) NewReader(c *coro.Coroutine, producers []Producer, exchange int, schema *arrow.Schema, lo, hi int) *Reader {
	return &Reader{
		c:      c,
		schema: schema,
		walk:   walker{store: s, producers: producers, exchange: exchange, partition: lo, hi: hi},
		remote: newRemote(c, s, producers, exchange, lo, hi),
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

// fetcher returns what reads other workers' outputs.
func (s *Store) fetcher() Fetcher {
	if s.config.Fetch == nil {
		return noFetcher{}
	}
	return s.config.Fetch
}

// fileAt returns the output of an attempt at path, as the Store opens files.
func (s *Store) fileAt(attempt, path string) *File {
	return &File{attempt: attempt, name: path, files: &s.files}
}

// output returns an output of this machine that the Store knows, or nil.
func (s *Store) output(attempt string) *output {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.outputs[attempt]
}

// find looks for an output of this machine that another Store has written. If there is none, the output stays unknown.
func (s *Store) find(c *coro.Coroutine, attempt string) error {
	if !s.config.Durable || s.output(attempt) != nil {
		return nil
	}
	f := s.fileAt(attempt, filepath.Join(s.config.Dir, FileName(attempt)))
	if s.config.Find != nil {
		switch memfd, err := s.config.Find(c, attempt); {
		case err != nil:
			return fmt.Errorf("find output of attempt %s: %w", attempt, err)
		case memfd != nil:
			f = FileIn(attempt, memfd)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.closed || s.mu.outputs[attempt] != nil { // somebody else has found it meanwhile
		return f.release()
	}
	s.mu.outputs[attempt] = &output{file: f}
	return nil
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
	return s.drop(out, (*File).Remove)
}

// drop gives back what out takes of memory; end is what becomes of its file.
func (s *Store) drop(out *output, end func(*File) error) error {
	s.budget.give(out.held)
	if out.file == nil {
		return nil
	}
	if err := end(out.file); err != nil {
		return fmt.Errorf("remove shuffle output: %w", err)
	}
	return nil
}

// Close removes everything that the Store has created, but for committed outputs if they are Durable. The coroutines of
// its Writers and Readers have to have ended.
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
	end := (*File).Remove
	if s.config.Durable {
		end = (*File).release
	}
	for _, out := range outputs {
		errs = append(errs, s.drop(out, end))
	}
	if s.madeDir && !s.config.Durable {
		// It stays if somebody else has put something into it.
		if err := os.Remove(s.config.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			errs = append(errs, fmt.Errorf("remove shuffle directory: %w", err))
		}
		s.madeDir = false
	}
	return errors.Join(errs...)
}
