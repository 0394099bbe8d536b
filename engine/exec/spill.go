package exec

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
)

// Spill is where an attempt puts what memory does not hold: runs of sorted records, and groups. All that is put there is
// gone when the attempt ends. It belongs to the attempt's coroutine.
type Spill interface {
	// Create begins a run of batches of one schema. Several runs may be under way at once.
	Create(schema *arrow.Schema) (SpillWriter, error)
}

// SpillWriter takes the batches of one run.
type SpillWriter interface {
	// Write appends a batch, which stays the caller's. It waits for the disk only while an earlier batch is still on its
	// way there.
	Write(rec arrow.Record) error
	// Close ends the run. A run whose Write or Close failed cannot be read.
	Close() (Run, error)
}

// Run is a spilled sequence of batches.
type Run interface {
	// Open reads the batches from the first on, one ahead of the caller. The buffers of a batch are never used again, as
	// those of a Source. A run may be read several times, also at once.
	Open() (Source, error)
	// Rows and Bytes are the size of what was written.
	Rows() int64
	Bytes() int64
	// ReadBytes is the memory that reading it takes at a time.
	ReadBytes() int64
	// Drop gives up the run's bytes on disk. It must not be read any more.
	Drop()
}

// openRun opens a run for reading. Its end is an error where rows are missing.
func openRun(run Run) (Source, error) {
	src, err := run.Open()
	if err != nil {
		return nil, err
	}
	return &runSource{src, run.Rows()}, nil
}

// runSource reads a run.
type runSource struct {
	Source
	left int64 // rows that have not been read
}

// Next implements Source.
func (s *runSource) Next() (arrow.Record, error) {
	rec, err := s.Source.Next()
	switch {
	case err == nil:
		s.left -= rec.NumRows()
	case err == io.EOF && s.left != 0: //nolint:errorlint // one that is wrapped is no end of the run but damage
		err = fmt.Errorf("read a spilled run: it ends %d rows early", s.left)
	}
	return rec, err
}
