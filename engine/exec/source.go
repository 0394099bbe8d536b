package exec

import "github.com/apache/arrow/go/v15/arrow"

// Source yields the batches of one split or of one partition.
type Source interface {
	// Next returns io.EOF, unwrapped, after the last batch: any other error fails the attempt. The caller releases the
	// batch. Its buffers are never used again, as strings of user code may point into them.
	Next() (arrow.Record, error)
	// Position tells where a row of the batch that Next returned last stands, such as "a.txt byte 1234" for where
	// a line begins. It serves error messages and may be slow.
	Position(row int) string
	// Close is called once, also after an error.
	Close() error
}

// Measured is a Source that knows how many bytes of its input it has read.
type Measured interface{ BytesRead() int64 }

// input is a source of a run. The one that yielded last tells where the record at work stands.
type input struct {
	Source
	task *Task
	read int64 // bytes that it has told of
}

// Next counts the bytes that the batch took.
func (in *input) Next() (arrow.Record, error) {
	t := in.task
	t.source = in.Source
	rec, err := in.Source.Next()
	if m, ok := in.Source.(Measured); ok {
		read := m.BytesRead()
		t.Progress.Bytes.Add(read - in.read)
		t.metrics.BytesIn += read - in.read
		in.read = read
	}
	return rec, err
}

// Port takes the batches of one output of a stage.
type Port interface {
	// Write takes a batch. For an exchange, parts[i] is the partition of row i; for a sink, parts is nil. The batch stays
	// the caller's.
	Write(rec arrow.Record, parts []uint32) error
}

// Writer encodes the batches of one part of a sink. Where the attempt fails it is dropped, without a call of Close: it
// holds nothing but memory.
type Writer interface {
	// Write takes a batch, which stays the caller's.
	Write(rec arrow.Record) error
	// Close writes what the writer has kept back; it is called after the last batch.
	Close() error
}
