package csvio

import (
	"context"
	"io"

	"fletch/engine/plan"
	"fletch/format/internal/input"
)

// reading is how the files of a split are read.
type reading struct {
	*options
	ctx     context.Context
	cells   []*node // that are wanted of each file
	maxLine int     // the longest record, in bytes
	sample  bool    // see engine.Task.Sampled
	memory  input.Memory
	start   input.Start[piece]
	do      func(f func() error) error // runs f, which may block
	alive   func()                     // see engine.Task.Alive

	chunk int // bytes to read at once
	// lookBack is how many bytes before a range are looked at first to find its first record.
	lookBack int64
}

// blocks finds the records of some ranges of files, in their order, a piece of text at a time. While the caller works on
// one, the next is read.
type blocks struct {
	*reading
	scanner *scanner

	bytes       int64            // of the records so far, and of headers
	files       []plan.FileRange // not yet begun
	names       []string         // of the columns of the file at hand
	section     *section         // of the file at hand; nil before the first and after the last
	await, join func() (piece, error)
	reads       bool        // await and join are of a read that nobody has awaited
	stuck       bool        // the last text did not hold a whole record
	guess       bool        // where the records of the section begin is not proven
	buf         []byte      // that rest stands in
	rest        []byte      // what is left of the last text: the beginning of a record
	text        *input.Hold // what buf takes
	ahead       *input.Hold // what the buffer takes that is read into
	size        int         // to read of what is awaited
	spare       [][]byte
}

func newBlocks(files []plan.FileRange, r *reading) *blocks {
	return &blocks{
		reading: r, files: files, scanner: newScanner(r.delimiter, r.maxLine, len(r.cells)),
		text: input.NewHold(r.memory), ahead: input.NewHold(r.memory),
	}
}

// atOnce reads when it is told to, and not ahead.
func atOnce(read func() (piece, error)) (await, join func() (piece, error)) {
	p, err := read()
	result := func() (piece, error) { return p, err }
	return result, result
}

// block is a text whose records are found.
type block struct {
	in    plan.FileRange
	from  *section
	guess bool     // where the records of the section begin is not proven
	names []string // of the file's columns
	start int64    // offset of the text
	text  []byte
	end   int   // of the records in it that are found
	wrong *flaw // of the one that follows them
}

// next returns the next block, which is valid until the following call, or io.EOF. None may follow one with a flaw.
func (b *blocks) next() (block, error) {
	if b.section == nil {
		b.nextFile()
	}
	for b.section != nil {
		p, err := b.await()
		if err != nil {
			return block{}, err
		}
		b.reads = false
		if p.missing > 0 {
			if err := p.wanting.Await(p.missing, p.purpose); err != nil {
				return block{}, err
			}
			b.read(b.size)
			continue
		}
		found, err := b.take(p)
		if err != nil || found.end > 0 || found.wrong != nil {
			return found, err
		}
	}
	return block{}, io.EOF
}

// take scans a piece, with what was left before it, and sees to what is read next.
func (b *blocks) take(p piece) (block, error) {
	s := b.section
	if p.names != nil {
		b.names, b.scanner.wanted, b.guess = p.names, p.wanted, p.guess
		if s.in.Offset == 0 {
			b.bytes += p.start
		}
	}
	found := block{in: s.in, from: s, guess: b.guess, names: b.names}
	var err error
	if found.text, found.start, err = b.behindRest(p); err != nil {
		return block{}, err
	}
	within := !p.last && found.start+int64(len(found.text)) < s.end // the range
	if within && !b.stuck {
		b.read(b.chunk)
	}
	found.end, found.wrong = b.scanner.scan(found.text, int(min(int64(len(found.text)), s.end-found.start)), p.last)
	b.bytes += int64(found.end)
	b.rest, b.stuck = found.text[found.end:], found.end == 0
	switch {
	case found.wrong != nil:
	case p.last || found.start+int64(found.end) >= s.end:
		b.rest = nil
		if err := s.close(); err != nil {
			return block{}, err
		}
		b.nextFile()
	case len(b.rest) > b.maxLine+1: // one more may be a carriage return
		found.wrong = &flaw{found.end, len(found.text), -1, tooLong(b.maxLine)}
	case !b.reads:
		n := input.OverrunBytes
		if within {
			n = b.chunk
		}
		if n, err = b.room(n, found.start+int64(found.end)); err != nil {
			return block{}, err
		}
		b.read(n)
	}
	return found, nil
}

// room returns how much to read behind rest, at least n bytes, and takes the memory for that.
func (b *blocks) room(n int, at int64) (int, error) {
	more := input.Larger(n, len(b.rest), b.maxLine)
	if b.ahead.Grow(more) == 0 {
		return more, nil
	}
	more = max(n, len(b.rest)/8)
	return more, b.ahead.Await(b.ahead.Grow(more), input.Position(b.section.in.Path, at)+": to read the record")
}

// behindRest returns the text that is left with that of a piece behind it, and the offset of both.
func (b *blocks) behindRest(p piece) (text []byte, start int64, err error) {
	used, start := b.buf, p.start-int64(len(b.rest))
	b.buf, text = p.buf, p.text
	b.ahead.Release()
	if n := len(b.rest); n > room {
		where := input.Position(b.section.in.Path, start)
		if err := b.text.Await(b.text.Grow(n+len(text)), where+": to read the record"); err != nil {
			return nil, 0, err
		}
		b.recycle(p.buf)
		b.buf = input.Unzeroed(n + len(text) + padding)
		text = pad(b.buf[:copy(b.buf, b.rest)+copy(b.buf[n:], text)])
	} else if n > 0 {
		text = p.buf[room-n:][:n+len(text)]
		copy(text, b.rest)
	}
	if len(b.buf) <= room+b.chunk+padding {
		b.text.Release()
	}
	b.recycle(used)
	return text, start, nil
}

// recycle keeps a buffer for what is read later, but for large ones.
func (b *blocks) recycle(buf []byte) {
	if buf != nil && len(buf) <= room+b.chunk+padding {
		b.spare = append(b.spare, buf)
	}
}

// nextFile begins to read the next file, if there is one.
func (b *blocks) nextFile() {
	b.section = nil
	if len(b.files) > 0 {
		b.section = newSection(b.reading, b.files[0])
		b.files = b.files[1:]
		b.read(b.chunk)
	}
}

// skip leaves what follows of the section that a block is of.
func (b *blocks) skip(of block) error {
	if b.section != of.from {
		return nil
	}
	if b.reads {
		b.join() //nolint:errcheck // what comes next is not wanted
		b.reads = false
	}
	b.rest, b.stuck = nil, false
	err := of.from.close()
	b.nextFile()
	return err
}

// read begins to read about n bytes.
func (b *blocks) read(n int) {
	var buf []byte
	if last := len(b.spare) - 1; last >= 0 {
		buf, b.spare = b.spare[last], b.spare[:last]
	}
	s := b.section
	b.size = n
	b.await, b.join = b.start(func() (piece, error) { return s.next(buf, n) })
	b.reads = true
}

// close waits for the read that is going on.
func (b *blocks) close() error {
	if b.reads {
		b.join() //nolint:errcheck // who closes does not want what comes next, nor why it does not come
		b.reads = false
	}
	b.text.Release()
	b.ahead.Release()
	if b.section == nil {
		return nil
	}
	s := b.section
	b.section, b.files = nil, nil
	return s.close()
}
