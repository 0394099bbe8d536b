package csvio

import (
	"errors"
	"fmt"
	"math"

	"fletch/engine/plan"
	"fletch/fault"
	"fletch/format/internal/input"
)

const (
	chunkBytes    = 256 << 10
	lookBackBytes = 64 << 10
	// room is how many bytes of a buffer are kept free before what is read into it, for what is left of the text before.
	room = 4 << 10
)

// section reads one range of one file in pieces. One goroutine at a time uses it.
type section struct {
	*reading
	in plan.FileRange

	file *kept       // nil before the first piece, and once closed
	zip  *input.Hold // what decompressing it takes
	// beginning is what was read of the file's first record; nil once that is known.
	beginning *beginning
	end       int64 // records that begin at this offset or later belong to other ranges
}

func newSection(r *reading, in plan.FileRange) *section {
	return &section{reading: r, in: in, zip: input.NewHold(r.memory)}
}

// piece is some of a file's text.
type piece struct {
	buf   []byte
	text  []byte // in buf, with at least room bytes before it and padding behind
	start int64  // offset of the text
	last  bool   // the file ends with it, or no record of it is in the range
	guess bool   // with a range's first piece: where its records begin is not proven
	// With a range's first piece: the names of the file's columns and which of them are wanted; nil with the others.
	names  []string
	wanted []int
	// missing is zero, or the piece is none, and has to be asked for once more with so many bytes added to wanting.
	missing int64
	wanting *input.Hold
	purpose string // of them
}

// beginning is the text that a file begins with, of which the first record is not known.
type beginning struct {
	buf  []byte // with the text where a piece has it
	size int
	more int // to read next
	hold *input.Hold
}

// next reads up to n bytes into buf, or into a larger buffer if it takes one. A range's first piece is as large as the
// reader likes; it begins with a record.
func (s *section) next(buf []byte, n int) (piece, error) {
	if s.file == nil {
		if err := s.open(buf, n); err != nil {
			return piece{}, err
		}
	}
	if missing := s.zip.Grow(s.file.Window()); missing > 0 {
		return piece{missing: missing, wanting: s.zip, purpose: s.in.Path + ": to decompress it"}, nil
	}
	if s.beginning != nil {
		return s.first(n)
	}
	if pos := s.file.Pos(); pos < s.end {
		n = int(min(int64(n), s.end-pos))
	}
	return s.read(buf, n)
}

// read reads the next n bytes, or what is left of the file.
func (s *section) read(buf []byte, n int) (piece, error) {
	s.alive()
	if len(buf) < room+n+padding {
		buf = input.Unzeroed(room + n + padding)
	}
	p := piece{buf: buf, start: s.file.Pos()}
	n, eof, err := s.file.Fill(buf[room : room+n])
	p.text, p.last = pad(buf[room:room+n]), eof
	return p, err
}

// pad writes the padding behind a text, which has room for it.
func pad(text []byte) []byte {
	for i := range padding {
		text[:len(text)+padding][len(text)+i] = '\n'
	}
	return text
}

// open opens the file. buf is for its beginning, of n bytes if the range begins with it.
func (s *section) open(buf []byte, n int) error {
	f, err := input.Open(s.ctx, s.in)
	if err != nil {
		return err
	}
	s.file, s.end = &kept{File: f, memory: s.memory}, s.in.Offset+s.in.Length
	if f.Compressed() {
		s.end = math.MaxInt64
	}
	if len(buf) < room+n+padding {
		buf = input.Unzeroed(room + n + padding)
	}
	if s.in.Offset > 0 {
		n = input.OverrunBytes
	}
	s.beginning = &beginning{buf: buf, more: n, hold: input.NewHold(s.memory)}
	return nil
}

// first learns the file's columns and finds where the range's first record begins.
func (s *section) first(n int) (piece, error) {
	p, begin, err := s.head()
	if err != nil || p.missing > 0 {
		return p, err
	}
	s.beginning.hold.Release()
	s.beginning = nil
	if s.in.Offset == 0 {
		p.text, p.start = p.text[begin:], int64(begin)
		return p, err
	}
	start, guess := int64(begin), false
	if s.in.Offset > start {
		b := boundary{s.reading, s.file, len(p.names), p.buf}
		start, guess, err = b.find(s.in.Offset, s.end)
	}
	if err != nil || start >= s.end {
		return piece{buf: p.buf, last: true}, err
	}
	s.file.SkipTo(start)
	names, wanted := p.names, p.wanted
	p, err = s.next(p.buf, n)
	p.names, p.wanted, p.guess = names, wanted, guess
	return p, err
}

// head reads the file's beginning until it has the whole first record, and returns where in it the records begin.
func (s *section) head() (p piece, records int, err error) {
	for b := s.beginning; ; b.more = b.size {
		if need := room + b.size + b.more + padding; need > len(b.buf) {
			if missing := b.hold.Grow(need); missing > 0 {
				return piece{missing: missing, wanting: b.hold, purpose: s.in.Path + ": to read the first record"}, 0, nil
			}
			grown := input.Unzeroed(need)
			copy(grown, b.buf[:min(len(b.buf), room+b.size)])
			b.buf = grown
		}
		got, eof, err := s.file.Fill(b.buf[room+b.size:][:b.more])
		if err != nil {
			return piece{}, 0, err
		}
		b.size += got
		p = piece{buf: b.buf, text: pad(b.buf[room:][:b.size]), last: eof}
		f, complete, err := readFirst(p.text, s.delimiter, eof)
		switch {
		case !complete && b.size <= s.maxLine+len(byteOrderMark)+2:
			continue
		case !complete || f.end-f.begin > s.maxLine+2:
			err = errors.New(tooLong(s.maxLine))
		case err == nil:
			p.names, p.wanted, err = s.columns(f.names, s.cells)
		}
		if err != nil {
			return piece{}, 0, fault.As(fault.User, fmt.Errorf("%s: the first record %w", s.in.Path, err))
		}
		if s.headless {
			return p, f.begin, nil
		}
		return p, f.end, nil
	}
}

// close frees what is open. It must not be called while next runs.
func (s *section) close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	s.zip.Release()
	if s.beginning != nil {
		s.beginning.hold.Release()
	}
	return f.Close()
}
