package replica

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// errCancelled is why a snapshot that was given up does not check out.
var errCancelled = errors.New("the snapshot was given up")

// sink writes a snapshot's file, as a raft.SnapshotSink, and checks the records that pass: what a leader sends may have
// been damaged on its disk or on the way, and must not become this replica's newest snapshot.
type sink struct {
	store *snapshots
	name  string
	file  *os.File
	to    *bufio.Writer
	pipe  *io.PipeWriter
	over  bool  // Close or Cancel has been called
	err   error // what Close returns from then on

	check sync.WaitGroup // of the records that pass
	found error          // by the check; set at its end
}

func newSink(store *snapshots, name string, header []byte) (*sink, error) {
	f, err := os.OpenFile(filepath.Join(store.dir, name+".tmp"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	from, pipe := io.Pipe()
	s := &sink{store: store, name: name, file: f, to: bufio.NewWriterSize(f, 256<<10), pipe: pipe}
	s.check.Go(func() {
		err := checkFrames(from)
		s.found = errors.Join(err, from.CloseWithError(err)) // a Write after the end fails even if err is nil
	})
	if _, err := s.to.Write(header); err != nil {
		return nil, errors.Join(err, s.Cancel())
	}
	return s, nil
}

// ID implements raft.SnapshotSink.
func (s *sink) ID() string { return s.name }

// Write implements raft.SnapshotSink.
func (s *sink) Write(p []byte) (int, error) {
	if n, err := s.pipe.Write(p); err != nil {
		return n, fmt.Errorf("check the snapshot: %w", err)
	}
	return s.to.Write(p)
}

// Close implements raft.SnapshotSink: the snapshot counts once it returns nil. raft calls it twice.
func (s *sink) Close() error {
	if s.over {
		return s.err
	}
	if err := s.pipe.Close(); err != nil {
		return err
	}
	s.check.Wait()
	if s.found != nil {
		return errors.Join(fmt.Errorf("check the snapshot: %w", s.found), s.Cancel())
	}
	s.over = true
	s.err = s.finish()
	return s.err
}

func (s *sink) finish() error {
	err := s.to.Flush()
	if err == nil {
		err = s.file.Sync()
	}
	if err := errors.Join(err, s.file.Close()); err != nil {
		return errors.Join(err, os.Remove(s.file.Name()))
	}
	if err := os.Rename(s.file.Name(), filepath.Join(s.store.dir, s.name)); err != nil {
		return err
	}
	if err := syncDir(s.store.dir); err != nil {
		return err
	}
	return s.store.reap()
}

// Cancel implements raft.SnapshotSink.
func (s *sink) Cancel() error {
	if s.over {
		return nil
	}
	s.over, s.err = true, errCancelled
	err := s.pipe.CloseWithError(errCancelled)
	s.check.Wait()
	return errors.Join(err, s.file.Close(), os.Remove(s.file.Name()))
}

// checkFrames reads a snapshot to its end.
func checkFrames(from io.Reader) error {
	r, err := newFrameReader(from)
	if err != nil {
		return err
	}
	for {
		if record, err := r.next(); err != nil || record == nil {
			return err
		}
	}
}
