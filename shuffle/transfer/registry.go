package transfer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"fletch/shuffle"
)

// Registry holds the committed outputs of one worker, by job and attempt. It may be used from anywhere. An output's index
// is read when the output is first asked for, and kept.
type Registry struct {
	mu struct {
		sync.RWMutex
		jobs map[string]map[string]*shuffle.File
	}
}

// NewRegistry returns an empty Registry.
func NewRegistry() *Registry {
	r := &Registry{}
	r.mu.jobs = map[string]map[string]*shuffle.File{}
	return r
}

// Add makes f, a memfd, the output of an attempt. The Registry owns f.
func (r *Registry) Add(job, attempt string, f *os.File) {
	r.add(job, attempt, shuffle.FileIn(attempt, f))
}

// AddPath makes the file at path the output of an attempt.
func (r *Registry) AddPath(job, attempt, path string) {
	r.add(job, attempt, shuffle.FileAt(attempt, path))
}

func (r *Registry) add(job, attempt string, f *shuffle.File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.jobs[job] == nil {
		r.mu.jobs[job] = map[string]*shuffle.File{}
	}
	r.mu.jobs[job][attempt] = f
}

// Open opens an output for another process to read. One that is not there is fs.ErrNotExist.
func (r *Registry) Open(job, attempt string) (*os.File, error) {
	f := r.file(job, attempt)
	if f == nil {
		return nil, fmt.Errorf("output of attempt %s: %w", attempt, fs.ErrNotExist)
	}
	return f.Open()
}

// file returns an output, or nil.
func (r *Registry) file(job, attempt string) *shuffle.File {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.mu.jobs[job][attempt]
}

// Drop deletes outputs: files, and memory, whoever else has it open. Transfers of them break off. What is not there is no
// error.
func (r *Registry) Drop(job string, attempts ...string) error {
	var dropped []*shuffle.File
	r.mu.Lock()
	for _, a := range attempts {
		if f := r.mu.jobs[job][a]; f != nil {
			dropped = append(dropped, f)
			delete(r.mu.jobs[job], a)
		}
	}
	if len(r.mu.jobs[job]) == 0 {
		delete(r.mu.jobs, job)
	}
	r.mu.Unlock()
	return remove(dropped)
}

// DropJob deletes all outputs of a job.
func (r *Registry) DropJob(job string) error {
	var dropped []*shuffle.File
	r.mu.Lock()
	for _, f := range r.mu.jobs[job] {
		dropped = append(dropped, f)
	}
	delete(r.mu.jobs, job)
	r.mu.Unlock()
	return remove(dropped)
}

func remove(files []*shuffle.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Remove())
	}
	return errors.Join(errs...)
}
