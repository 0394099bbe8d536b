package report

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// Progress shows how one job goes. It is safe for concurrent use, so that log lines may come from anywhere.
type Progress struct {
	mu struct {
		sync.Mutex
		w      io.Writer
		view   view
		line   []byte // the begun line of a log, not shown yet
		closed bool
	}
}

// view is one of the two ways of showing progress. Its methods return what to write, in one piece.
type view interface {
	update(now time.Time, j *Job) []byte
	// log puts whole lines between what has been and what will be shown.
	log(lines []byte) []byte
	done() []byte
}

// NewProgress returns a Progress that writes to w: bars on a terminal, plain lines elsewhere. Errors of w are of no
// consequence to the job and are ignored.
func NewProgress(w io.Writer, d Display) *Progress {
	p := &Progress{}
	p.mu.w = w
	if d.Size == nil {
		p.mu.view = newPlain(d)
	} else {
		p.mu.view = newBars(d)
	}
	return p
}

// Update shows the job as it is now. Call it several times a second, and once more when the job has ended.
func (p *Progress) Update(now time.Time, j Job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mu.closed {
		p.writeLocked(p.mu.view.update(now, &j))
	}
}

// Write makes a Progress the writer of a log: lines appear whole, above the bars. An unfinished line waits for its end,
// or for Done.
func (p *Progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return p.mu.w.Write(b)
	}
	end := bytes.LastIndexByte(b, '\n') + 1
	if end == 0 {
		p.mu.line = append(p.mu.line, b...)
		return len(b), nil
	}
	lines := append(p.mu.line, b[:end]...)
	_, err := p.mu.w.Write(p.mu.view.log(lines))
	p.mu.line = append(lines[:0], b[end:]...)
	return len(b), err
}

// Done takes the bars away and completes an unfinished line. What is written afterwards goes straight through.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.closed {
		return
	}
	p.mu.closed = true
	p.writeLocked(p.mu.view.done())
	if len(p.mu.line) > 0 {
		p.writeLocked(append(p.mu.line, '\n'))
	}
}

func (p *Progress) writeLocked(b []byte) {
	if len(b) > 0 {
		p.mu.w.Write(b) //nolint:errcheck // this is where errors would be shown
	}
}
