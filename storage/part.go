package storage

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"golang.org/x/sys/unix"

	"fletch/engine/plan"
)

const partBufferBytes = 256 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// partFile is where a PartWriter's bytes go.
type partFile interface {
	io.Writer
	Name() string
	Sync() error
	Close() error
	// Remove takes the closed file away. Taking it away twice is no error.
	Remove() error
}

// PartWriter writes the part of one attempt. It ends in Commit or Discard. One goroutine uses it at a time.
type PartWriter struct {
	file partFile
	buf  *bufio.Writer // onto the PartWriter's own flushed, so that the checksum is of what the file was given
	part plan.Part     // its Bytes and CRC32C are of what the file took

	closed bool
}

func newPartWriter(file partFile, name string, partition int) *PartWriter {
	w := &PartWriter{file: file, part: plan.Part{Name: name, Partition: partition}}
	w.buf = bufio.NewWriterSize((*flushed)(w), partBufferBytes)
	return w
}

// flushed is a PartWriter from below its buffer.
type flushed PartWriter

func (w *flushed) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if n < len(p) && err == nil {
		err = io.ErrShortWrite
	}
	w.part.CRC32C = crc32.Update(w.part.CRC32C, castagnoli, p[:n])
	w.part.Bytes += int64(n)
	return n, err
}

// Write adds bytes. After an error every further Write and Commit returns that error.
func (w *PartWriter) Write(p []byte) (int, error) {
	n, err := w.buf.Write(p)
	return n, w.wrap(err)
}

// AddRows counts the records that the bytes hold, for the manifest.
func (w *PartWriter) AddRows(n int64) { w.part.Rows += n }

// Commit makes the part durable. If it fails, the part is gone.
func (w *PartWriter) Commit() (plan.Part, error) {
	if w.closed {
		return plan.Part{}, w.wrap(errors.New("it was committed or discarded before"))
	}
	err := w.buf.Flush()
	if err == nil {
		err = w.file.Sync()
	}
	w.closed = true
	if err = errors.Join(err, w.file.Close()); err != nil {
		return plan.Part{}, errors.Join(w.wrap(err), w.file.Remove())
	}
	return w.part, nil
}

// Discard removes the part, whether it was committed or not.
func (w *PartWriter) Discard() error {
	var err error
	if !w.closed {
		w.closed = true
		err = w.file.Close()
	}
	return w.wrap(errors.Join(err, w.file.Remove()))
}

func (w *PartWriter) wrap(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return permanentf("write the output: its disk or quota is full: %w", err)
	}
	return fmt.Errorf("write output part %s: %w", w.part.Name, err)
}
