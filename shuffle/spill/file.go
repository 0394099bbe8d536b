package spill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch/frame"
	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/plan"
)

const (
	// writeBytes is what a Writer collects before it writes.
	writeBytes = 256 << 10
	// maxSpares is how many buffers are kept for the next Writer: those of one.
	maxSpares = 2
)

// errClosed means that the attempt has ended.
var errClosed = errors.New("spill file is closed")

// File is where the runs of one attempt are. It is made when something is first written, and deleted by Close.
type File struct {
	c       *coro.Coroutine
	share   *budget.Share
	path    string
	files   files
	space   space
	writers map[*Writer]struct{} // those that have not ended
	spares  [][]byte             // buffers that nobody uses
	metrics plan.Metrics
	closed  bool

	// Once it is there it is open until Close. I/O goroutines use it.
	mu struct {
		sync.Mutex
		f file
	}
}

// FileName returns the name of an attempt's file.
func FileName(attempt string) string { return attempt + ".spill" }

// New returns the file of the attempt that c runs. The memory that writing takes is counted on share.
func New(c *coro.Coroutine, share *budget.Share, path string) *File {
	return &File{c: c, share: share, path: path, files: osFiles, writers: map[*Writer]struct{}{}}
}

// files is where runs go, for tests to break.
type files struct {
	create func(path string) (file, error)
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
}

var osFiles = files{
	create: func(path string) (file, error) {
		return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	},
}

// Create begins a run of batches of one schema.
func (f *File) Create(schema *arrow.Schema) (*Writer, error) {
	if f.closed {
		return nil, errClosed
	}
	w := &Writer{file: f, schema: schema, encoder: frame.NewEncoder(schema)}
	f.writers[w] = struct{}{}
	return w, nil
}

// Metrics returns what has been spilled so far: bytes, runs, and how long the attempt has waited for the disk.
func (f *File) Metrics() plan.Metrics { return f.metrics }

// Close gives up all runs and deletes the file. It waits for what is being written, also if the coroutine is cancelled.
func (f *File) Close() error {
	f.closed = true
	for w := range f.writers {
		w.abandon()
	}
	for _, b := range f.spares {
		f.share.Give(int64(cap(b)))
	}
	f.spares = nil
	if f.space.end == 0 {
		return nil // nothing was written
	}
	if _, err := coro.Join(f.c, coro.Go(f.c, func() (struct{}, error) { return struct{}{}, f.remove() })); err != nil {
		return fmt.Errorf("remove spill file: %w", err)
	}
	return nil
}

// write writes b, which is all of an extent, to the file, which the first call makes. It runs on an I/O goroutine.
func (f *File) write(b []byte, offset int64) error {
	out, err := f.make()
	if err == nil {
		_, err = out.WriteAt(b, offset)
	}
	return err
}

func (f *File) make() (file, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.f != nil {
		return f.mu.f, nil
	}
	made, err := f.files.create(f.path)
	if err != nil {
		return nil, err
	}
	f.mu.f = made
	return made, nil
}

// opened returns the file that was made, for an I/O goroutine to read. It may be deleted by then: nobody waits any more.
func (f *File) opened() (file, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.f == nil {
		return nil, errClosed
	}
	return f.mu.f, nil
}

func (f *File) remove() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.f == nil {
		return nil // it could not be made
	}
	f.mu.f.Close() //nolint:errcheck // its error says nothing about a file that is thrown away
	f.mu.f = nil
	if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// buffer returns an empty buffer.
func (f *File) buffer() []byte {
	n := len(f.spares)
	if n == 0 {
		return nil
	}
	b := f.spares[n-1]
	f.spares = f.spares[:n-1]
	return b
}

// recycle takes a buffer back.
func (f *File) recycle(b []byte) {
	if len(f.spares) == maxSpares || cap(b) == 0 || cap(b) > 4*writeBytes {
		f.share.Give(int64(cap(b)))
		return
	}
	f.spares = append(f.spares, b[:0])
}

// await is coro.Await, and counts how long that takes.
func await[T any](f *File, future *coro.Future[T]) (T, error) {
	start := time.Now()
	defer func() { f.metrics.SpillWaitNanos += time.Since(start).Nanoseconds() }()
	return coro.Await(f.c, future)
}
