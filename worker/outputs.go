package worker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"fletch/shuffle"
	"fletch/shuffle/transfer"
)

// outputs are what attempts have left on this worker for others to read: memory files as long as the budget lasts, and
// files in the directories of their jobs.
type outputs struct {
	registry *transfer.Registry
	budget   int64 // for the bytes in memory
	files    int   // how many memory files there may be
	mu       struct {
		sync.Mutex
		bytes int64
		files int
	}
}

// newOutputs returns outputs of which budget bytes may be in memory.
func newOutputs(budget int64) (*outputs, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("how many files may be open: %w", err)
	}
	return &outputs{registry: transfer.NewRegistry(), budget: budget, files: int(min(limit.Cur, 1<<20) / 2)}, nil
}

// take counts a memory file against the budget, or refuses.
func (o *outputs) take(bytes int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if bytes < 0 || o.mu.bytes+bytes > o.budget || o.mu.files >= o.files {
		return false
	}
	o.mu.bytes += bytes
	o.mu.files++
	return true
}

func (o *outputs) give(bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.bytes -= bytes
	o.mu.files--
}

// used returns the bytes in memory, and the number of memory files.
func (o *outputs) used() (bytes int64, files int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.bytes, o.mu.files
}

// jobOutputs are the outputs of one job.
type jobOutputs struct {
	all *outputs
	job string
	dir string // of its files
	mu  struct {
		sync.Mutex
		ended     bool
		reserved  map[string]memoryFile // by attempt, not yet committed
		committed map[string]memoryFile // by attempt; the zero memoryFile for one in a file
	}
}

// memoryFile is a file without a name. Its pages are freed when the last process that has it open has closed it, or when
// it is truncated.
type memoryFile struct {
	file  *os.File // the registry's once it is committed, until it is dropped there
	bytes int64    // that are counted
}

func (o *outputs) newJob(job, dir string) *jobOutputs {
	j := &jobOutputs{all: o, job: job, dir: dir}
	j.mu.reserved = map[string]memoryFile{}
	j.mu.committed = map[string]memoryFile{}
	return j
}

var errEnded = errors.New("the job has ended")

// reserve makes a memory file for an attempt. The file that it returns is the caller's; it is nil if memory is short.
func (j *jobOutputs) reserve(attempt string, bytes int64) (*os.File, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.ended {
		return nil, errEnded
	}
	if _, twice := j.mu.reserved[attempt]; twice {
		return nil, fmt.Errorf("attempt %s has reserved memory already", attempt)
	}
	if !j.all.take(bytes) {
		return nil, nil
	}
	fd, err := unix.MemfdCreate("fletch "+attempt, unix.MFD_CLOEXEC)
	if err != nil {
		j.all.give(bytes)
		return nil, nil // the attempt writes to a file instead, or finds that there is no room either
	}
	f := os.NewFile(uintptr(fd), "memory of "+attempt)
	theirs, err := duplicate(f)
	if err != nil {
		j.all.give(bytes)
		return nil, errors.Join(err, f.Close())
	}
	j.mu.reserved[attempt] = memoryFile{f, bytes}
	return theirs, nil
}

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("duplicate a descriptor: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// commit makes what an attempt has written its output. It is in the memory that was reserved for it, or in a file.
func (j *jobOutputs) commit(attempt string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.mu.ended {
		return errEnded
	}
	if m, ok := j.mu.reserved[attempt]; ok {
		info, err := m.file.Stat()
		if err != nil {
			return err
		}
		if info.Size() > 0 {
			j.all.registry.Add(j.job, attempt, m.file)
			delete(j.mu.reserved, attempt)
			j.mu.committed[attempt] = m
			return nil
		}
	}
	path := filepath.Join(j.dir, shuffle.FileName(attempt))
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("the attempt's blocks are gone: %w", err)
	}
	j.all.registry.AddPath(j.job, attempt, path)
	j.mu.committed[attempt] = memoryFile{}
	return j.releaseLocked(attempt)
}

// release lets go of memory that was reserved for an attempt and not committed.
func (j *jobOutputs) release(attempt string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.releaseLocked(attempt)
}

func (j *jobOutputs) releaseLocked(attempt string) error {
	m, ok := j.mu.reserved[attempt]
	if !ok {
		return nil
	}
	delete(j.mu.reserved, attempt)
	j.all.give(m.bytes)
	// The executor may have it open still; the registry does the same with what is committed.
	return errors.Join(m.file.Truncate(0), m.file.Close())
}

// open returns the file of an output, which the caller closes; nil if there is none.
func (j *jobOutputs) open(attempt string) (*os.File, error) {
	f, err := j.all.registry.Open(j.job, attempt)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// drop lets go of an output.
func (j *jobOutputs) drop(attempt string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dropLocked(attempt)
}

func (j *jobOutputs) dropLocked(attempt string) error {
	m, ok := j.mu.committed[attempt]
	if !ok {
		return nil
	}
	delete(j.mu.committed, attempt)
	if m.file != nil {
		j.all.give(m.bytes)
	}
	return j.all.registry.Drop(j.job, attempt)
}

// sweep deletes files that are no outputs: what an executor has left that died. No executor of the job may run.
func (j *jobOutputs) sweep() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	keep := map[string]bool{}
	for attempt := range j.mu.committed {
		keep[shuffle.FileName(attempt)] = true
	}
	entries, err := os.ReadDir(j.dir)
	for _, e := range entries {
		if !keep[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(j.dir, e.Name())))
		}
	}
	return err
}

// end lets go of all outputs. None can be added from then on.
func (j *jobOutputs) end() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.ended = true
	var errs []error
	for attempt := range j.mu.reserved {
		errs = append(errs, j.releaseLocked(attempt))
	}
	for attempt := range j.mu.committed {
		errs = append(errs, j.dropLocked(attempt))
	}
	return errors.Join(errs...)
}
