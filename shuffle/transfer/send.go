package transfer

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"fletch/shuffle"
)

const (
	// sendfileBytes is the length from which a section goes from the file to the socket within the kernel. What is
	// shorter is collected, since each such call costs several of its own.
	sendfileBytes = 64 << 10
	// stepBytes is what has to be sent within stepTime.
	stepBytes = 8 << 20
	stepTime  = 30 * time.Second
)

// sender sends parts of blocks as the body of one response.
type sender struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buffer  []byte // collected and not sent
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2*sendfileBytes); return &b }}

// send sends the bytes of the selection from offset to end-1. If that fails, for whatever reason, the block at which it did
// is checked: what this machine cannot read is lost, or readers would ask for it as long as they ask a worker that is away.
func (s selection) send(ctx context.Context, w http.ResponseWriter, offset, end int64) error {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	out := sender{w: w, control: http.NewResponseController(w), buffer: (*buffer)[:0]}
	start := int64(0) // of the block
	for _, b := range s {
		from, to := max(offset-start, 0), min(end-start, b.Length())
		if from < to {
			if err := out.block(b, from, to); err != nil {
				return errors.Join(err, b.Verify(ctx))
			}
		}
		start += b.Length()
	}
	return out.flush()
}

// block sends the bytes of b from lo to hi-1.
func (s *sender) block(b *shuffle.Block, lo, hi int64) error {
	header := int64(len(b.Header))
	if lo < header {
		if err := s.collect(b.Header[lo:min(hi, header)]); err != nil {
			return err
		}
	}
	for _, section := range b.Sections(lo-header, hi-header) {
		send := s.long
		if section.Length < sendfileBytes {
			send = s.short
		}
		if err := send(b.File(), section); err != nil {
			return err
		}
	}
	return nil
}

// collect adds bytes to the buffer. They may be more than it has room for.
func (s *sender) collect(b []byte) error {
	if len(s.buffer)+len(b) > cap(s.buffer) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if len(b) > cap(s.buffer) {
		return s.step(func() error { _, err := s.w.Write(b); return err })
	}
	s.buffer = append(s.buffer, b...)
	return nil
}

// short adds a section to the buffer, which has room for at least one.
func (s *sender) short(f *shuffle.File, section shuffle.Section) error {
	n := int(section.Length)
	if len(s.buffer)+n > cap(s.buffer) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	at := len(s.buffer)
	s.buffer = s.buffer[:at+n]
	return f.ReadAt(s.buffer[at:], section.Offset)
}

// long sends a section by sendfile, which reads from the file's position: the file is opened for this one section, as
// others send from it at the same time.
func (s *sender) long(f *shuffle.File, section shuffle.Section) error {
	if err := s.flush(); err != nil {
		return err
	}
	src, err := f.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	if _, err := src.Seek(section.Offset, io.SeekStart); err != nil {
		return err
	}
	for rest := section.Length; rest > 0; {
		n := min(rest, stepBytes)
		if err := s.step(func() error { _, err := io.CopyN(s.w, src, n); return err }); err != nil {
			return err
		}
		rest -= n
	}
	return nil
}

func (s *sender) flush() error {
	if len(s.buffer) == 0 {
		return nil
	}
	err := s.step(func() error { _, err := s.w.Write(s.buffer); return err })
	s.buffer = s.buffer[:0]
	return err
}

// step gives a write its time.
func (s *sender) step(write func() error) error {
	if err := s.control.SetWriteDeadline(time.Now().Add(stepTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return write()
}
