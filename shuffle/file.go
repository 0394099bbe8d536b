package shuffle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"fletch/shuffle/extent"
)

// File is a committed output in a file. One that has a path is open only while something is read; one without, a memfd,
// stays open. A File may be used from anywhere; its methods block.
type File struct {
	attempt string
	name    string   // for messages: the path, or what stands for it
	memfd   *os.File // nil for a file with a path
	files   *files
	reading sync.Mutex            // the index, so that many who need it read it once
	index   atomic.Pointer[index] // once somebody has read it
	damage  atomic.Pointer[error] // once Block.Verify has found it
}

// FileName returns the name of an attempt's committed file in Config.Dir.
func FileName(attempt string) string { return attempt + ".shuffle" }

// FileAt returns the output of an attempt at path.
func FileAt(attempt, path string) *File { return &File{attempt: attempt, name: path, files: &osFiles} }

// FileIn returns the output of an attempt in f, and owns f.
func FileIn(attempt string, f *os.File) *File {
	return &File{attempt: attempt, name: "the memory of attempt " + attempt, memfd: f, files: &osFiles}
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

// open opens the file to read at offsets.
func (f *File) open() (readableFile, error) {
	if f.memfd != nil {
		return keptOpen{f.memfd}, nil
	}
	return f.files.open(f.name)
}

// keptOpen is a file that outlives its use.
type keptOpen struct{ *os.File }

func (keptOpen) Close() error { return nil }

// Open opens the file to read it from a position of its own.
func (f *File) Open() (*os.File, error) {
	if f.memfd == nil {
		return os.Open(f.name)
	}
	raw, err := f.memfd.SyscallConn()
	if err != nil {
		return nil, err
	}
	var again *os.File
	control := raw.Control(func(fd uintptr) { again, err = os.Open(fmt.Sprintf("/proc/self/fd/%d", fd)) })
	return again, errors.Join(control, err)
}

// ReadAt fills b from offset on.
func (f *File) ReadAt(b []byte, offset int64) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	return extent.ReadFull(r, b, offset)
}

// Remove gives up the file's bytes, whoever else has it open.
func (f *File) Remove() error {
	if f.memfd != nil {
		return errors.Join(f.memfd.Truncate(0), f.memfd.Close())
	}
	if err := os.Remove(f.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// release lets go of the file and leaves its bytes where they are.
func (f *File) release() error {
	if f.memfd != nil {
		return f.memfd.Close()
	}
	return nil
}

// loadIndex returns the index. The first call reads and verifies it.
func (f *File) loadIndex() (*index, error) {
	if x := f.index.Load(); x != nil {
		return x, nil
	}
	f.reading.Lock()
	defer f.reading.Unlock()
	if x := f.index.Load(); x != nil {
		return x, nil
	}
	x, err := f.readIndex()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if x.attempt != f.attempt {
		return nil, fmt.Errorf("%s: %w: it is attempt %q's", f.name, errIndex, x.attempt)
	}
	f.index.Store(x)
	return x, nil
}

func (f *File) readIndex() (*index, error) {
	r, err := f.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if size < footerBytes {
		return nil, fmt.Errorf("%w: a file of %d bytes", errIndex, size)
	}
	last := make([]byte, footerBytes)
	if err := extent.ReadFull(r, last, size-footerBytes); err != nil {
		return nil, err
	}
	foot, err := parseFooter(last, size)
	if err != nil {
		return nil, err
	}
	b := make([]byte, foot.length)
	if err := extent.ReadFull(r, b, foot.offset); err != nil {
		return nil, err
	}
	return parseIndex(b, foot)
}
