package storage

import (
	"errors"
	"io"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"fletch/engine/plan"
	"fletch/fault"
)

// failingFile takes room bytes and then fails, or fails in the step that an error is set for.
type failingFile struct {
	partFile
	room               int
	short              bool // takes less than it is given and does not say so
	writeErr           error
	syncErr, closeErr  error
	closed, wasRemoved bool
}

func (f *failingFile) Write(p []byte) (int, error) {
	if f.writeErr == nil && !f.short {
		return f.partFile.Write(p)
	}
	n := min(f.room, len(p))
	f.room -= n
	n, err := f.partFile.Write(p[:n])
	return n, errors.Join(err, f.writeErr)
}

func (f *failingFile) Sync() error { return errors.Join(f.partFile.Sync(), f.syncErr) }
func (f *failingFile) Close() error {
	f.closed = true
	return errors.Join(f.partFile.Close(), f.closeErr)
}
func (f *failingFile) Remove() error { f.wasRemoved = true; return f.partFile.Remove() }

func TestPartOnFailingDisk(t *testing.T) {
	broken := errors.New("broken disk")
	for name, c := range map[string]struct {
		file failingFile
		want error
	}{
		"full":        {failingFile{writeErr: unix.ENOSPC, room: partBufferBytes + 7}, unix.ENOSPC},
		"full at end": {failingFile{writeErr: unix.EDQUOT, room: 3*partBufferBytes - 1}, unix.EDQUOT},
		"short write": {failingFile{short: true, room: partBufferBytes + 7}, io.ErrShortWrite},
		"sync":        {failingFile{syncErr: broken}, broken},
		"close":       {failingFile{closeErr: broken}, broken},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := newDirOutput("job-1", plan.Location{Path: filepath.Join(t.TempDir(), "out")}, systemDisk)
			must(t, err)
			defer func() { must(t, o.Abort()) }()
			file := &c.file
			o.disk.create = func(path string) (partFile, error) {
				file.partFile, err = systemDisk.create(path)
				return file, err
			}
			w, err := o.Create("a", 0)
			must(t, err)
			var writeErr error
			for range 3 * partBufferBytes / 1024 {
				if _, err := w.Write(make([]byte, 1024)); writeErr == nil {
					writeErr = err
				}
			}
			if writeErr != nil && !errors.Is(writeErr, c.want) {
				t.Errorf("Write: %v, want %v", writeErr, c.want)
			}
			_, err = w.Commit()
			if !errors.Is(err, c.want) {
				t.Errorf("Commit: %v, want %v", err, c.want)
			}
			// Where the disk is full, another attempt writes to the same one.
			if full := file.writeErr != nil; full != (fault.ClassOf(err) == fault.Permanent) {
				t.Errorf("Commit: class %v of %v", fault.ClassOf(err), err)
			}
			if !file.closed || !file.wasRemoved {
				t.Errorf("closed %v, removed %v", file.closed, file.wasRemoved)
			}
			must(t, w.Discard())
		})
	}
}

func TestPartDiscardAfterCommit(t *testing.T) {
	o := begin(t, "job-1", filepath.Join(t.TempDir(), "out"))
	w, err := o.Create("a", 0)
	must(t, err)
	p, err := w.Commit()
	must(t, err)
	must(t, w.Discard())
	must(t, w.Discard())
	if err := o.Publish([]plan.Part{p}); err == nil {
		t.Error("a discarded part was published")
	}
}
