package csvio

import (
	"bytes"
	"cmp"

	"fletch/format/internal/input"
)

// keptBytes is how much of a range is kept at most while it is not known how it begins.
const keptBytes = 16 << 20

// boundary finds where the first record of a range begins.
//
// A newline ends a record unless it stands in quotes, and whether the first byte of a range does is told by the quotes
// before it alone: in a valid file their number is even outside of quotes and odd within. To count them from the file's
// beginning is always right, and would read all of a file for each of its ranges. So boundary looks back a little first,
// assumes in turn that this piece of the file begins outside and within quotes, and looks for what rules one of the two
// out:
//
//   - A quote that opens a field stands behind a delimiter or a newline, one that closes it before one. Of two quotes
//     in a row within a field neither does. In x", the quote can only close, in ,"x only open. Nearly every field in
//     quotes decides so.
//   - A record is not longer than --max-line, or the task that reads its beginning fails and the job with it. So a
//     piece that is longer than that holds the end of a record. Where there is not a single quote, it was outside.
//
// What is ruled out so is impossible in a file whose bytes before the range are valid. If they are not, the task in
// whose range the first mistake stands finds it, as everything before that is valid, and fails the job. So no record is
// read twice or left out whatever the file holds. What looking back does not decide is counted.
//
// Where there is no quote a little before the range, boundary looks at the range itself first, and keeps what it sees, as
// it is read anyway. Bytes of the range may be invalid without the knowledge of any other task, so all that is concluded
// from them is that the range begins outside of quotes: then its own task finds the first mistake that follows. It does if
// otherwise the record that goes on over the border were one that the task before refuses: the first quote can only open,
// or there is none up to the file's end or for more than --max-line bytes, those before the range included.
//
// A sample takes the lack of quotes a little before the range for a proof, if the lines there have as many fields as the
// file has columns. If that is wrong, what it reads is too, and it goes on with its next piece at the first mistake.
//
// To decide by what one assumption rules out is from C. Ge et al., Speculative Distributed CSV Data Parsing for Big Data
// Analytics, SIGMOD 2019; in a task whose records count, a guess is never taken.
//
// It costs 64 KiB a range, wherever there are quotes or there are none: then the first 16 MiB of the range are kept until
// their turn comes. It costs up to --max-line where the memory for that is not granted, the range is shorter, or quotes are
// few and tell nothing; and the whole file up to the range only where both assumptions make records of every --max-line
// bytes, as with fields in quotes that hold nothing but a delimiter and a newline.
type boundary struct {
	*reading
	file    *kept
	columns int    // of the file
	buf     []byte // to read into
}

// find returns where the first record begins that does so at from or later; to, if none does before. guessed says that
// this is not proven.
func (b *boundary) find(from, to int64) (start int64, guessed bool, err error) {
	// The byte before tells whether a record begins exactly here.
	from--
	within, guessed, err := b.within(from, to)
	if err != nil {
		return 0, false, err
	}
	b.file.SkipTo(from)
	for n := input.OverrunBytes; b.file.Pos() < to; n = min(2*n, len(b.buf)) {
		text, eof, err := b.read(n)
		if err != nil {
			return 0, false, err
		}
		for i, c := range text {
			if c == '"' {
				within = !within
			} else if c == '\n' && !within {
				return min(b.file.Pos()-int64(len(text)-i-1), to), guessed, nil
			}
		}
		if eof {
			break
		}
	}
	return to, guessed, nil
}

// read returns up to n of the file's next bytes, which stay valid until the next call.
func (b *boundary) read(n int) (text []byte, eof bool, err error) {
	if err := b.ctx.Err(); err != nil {
		return nil, false, err
	}
	b.alive()
	text = b.buf[:min(n, len(b.buf))]
	n, eof, err = b.file.Fill(text)
	return text[:n], eof, err
}

// within reports whether the byte at an offset stands in quotes, of a range that ends at to.
func (b *boundary) within(at, to int64) (within, guessed bool, err error) {
	var next ahead
	longest := int64(b.maxLine) + 4 // with a line end behind it and before
	back := b.lookBack
	for first := true; ; first = false {
		from := at - back
		if from < int64(len(byteOrderMark)) {
			from = 0
		}
		v, err := b.view(from, at)
		if err != nil {
			return false, false, err
		}
		if first && from > 0 && !v.quoted {
			if b.sample && v.shape.fits {
				return false, true, nil
			}
			if next, err = b.lookAhead(v.before, at, to, longest-back); err != nil || next.outside {
				return false, false, err
			}
		}
		if next.newline {
			v.end()
		}
		enough := longest - next.bytes
		switch {
		case from == 0:
			return v.odd, false, nil
		case v.refuted[0] != v.refuted[1]:
			return v.odd != v.refuted[0], false, nil
		case v.refuted[0]:
			return false, false, nil // what is before is invalid, and the task that reads it fails
		case back >= enough && (!v.ended[0] || !v.ended[1]):
			return v.odd != v.ended[1], false, nil
		case back < enough:
			back = min(max(8*back, 64), enough)
		default:
			back = at
		}
	}
}

// view looks at the file between two offsets.
func (b *boundary) view(from, to int64) (*view, error) {
	v := &view{delimiter: b.delimiter, shape: shape{delimiter: b.delimiter, columns: b.columns, fits: true}}
	b.file.SkipTo(from)
	for b.file.Pos() < to {
		text, _, err := b.read(int(min(to-b.file.Pos(), int64(len(b.buf)))))
		if err != nil {
			return nil, err
		}
		v.add(text)
		if b.sample {
			v.shape.add(text)
		}
	}
	return v, nil
}

// ahead is what is behind an offset before which there is no quote.
type ahead struct {
	outside bool  // the offset is not in quotes
	bytes   int64 // so many without a quote
	newline bool  // among them
}

// lookAhead looks at up to n bytes of the file between two offsets; before is the byte before them. It stops behind the
// first quote, and where it may not keep any more.
func (b *boundary) lookAhead(before byte, from, to, n int64) (ahead, error) {
	v := &view{delimiter: b.delimiter, before: before}
	b.file.SkipTo(from)
	for end := min(to, from+min(n, keptBytes)); b.file.Pos() < end; {
		b.alive()
		text, err := b.file.peek(int(min(end-b.file.Pos(), int64(b.chunk))))
		if err = cmp.Or(err, b.ctx.Err()); err != nil {
			return ahead{}, err
		}
		if text == nil {
			break
		}
		if !v.quoted {
			quote := bytes.IndexByte(text, '"')
			if quote < 0 {
				v.add(text)
				continue
			}
			v.add(text[:quote])
			text = text[quote:]
		}
		row := len(text) - len(bytes.TrimLeft(text, `"`))
		v.add(text[:min(row+1, len(text))])
		if row < len(text) {
			return ahead{outside: v.refuted[1]}, nil
		}
	}
	if v.quoted {
		return ahead{}, nil
	}
	pos := b.file.Pos()
	return ahead{pos == b.file.Size(), pos - from, v.ended[0]}, nil
}

// view is what a piece of a file tells of where it begins: outside of quotes (0) or within (1).
type view struct {
	delimiter byte
	quoted    bool    // it holds a quote
	odd       bool    // the number of its quotes
	refuted   [2]bool // it cannot begin there
	ended     [2]bool // if it begins there, a record ends in it

	row    int  // how many quotes stand in a row at its end
	before byte // the byte before these; zero where it is not known

	shape shape // of its lines, where that is looked at
}

func (v *view) add(text []byte) {
	for len(text) > 0 {
		if text[0] == '"' {
			v.odd, v.quoted = !v.odd, true
			v.row++
			text = text[1:]
			continue
		}
		v.judge(text[0])
		n := bytes.IndexByte(text, '"')
		if n < 0 {
			n = len(text)
		}
		if bytes.IndexByte(text[:n], '\n') >= 0 {
			v.end()
		}
		v.before, v.row, text = text[n-1], 0, text[n:]
	}
}

// end notes that there is a newline at its end.
func (v *view) end() {
	outside := 0 // where it has begun if that is outside of quotes
	if v.odd {
		outside = 1
	}
	v.ended[outside] = true
}

// judge looks at the row of quotes that ends before a byte.
func (v *view) judge(behind byte) {
	if v.row == 0 || v.before == 0 {
		return
	}
	single := v.row%2 == 1 // it opens or closes; else it opens and closes, or is doubled quotes within
	opens := v.before == v.delimiter || v.before == '\n'
	closes := behind == v.delimiter || behind == '\n' || behind == '\r'
	for begun := range v.refuted {
		within := (begun == 1) != (v.odd != single) // before the row
		if within && single && !closes || !within && (!opens || !single && !closes) {
			v.refuted[begun] = true
		}
	}
}

// shape tells whether the lines of a piece of a file, which has no quotes, could be records: those that begin in it.
type shape struct {
	delimiter byte
	columns   int
	fits      bool

	begun      bool // a line
	delimiters int  // in it so far
	empty      bool // so far
}

func (s *shape) add(text []byte) {
	for _, c := range text {
		switch c {
		case s.delimiter:
			s.delimiters++
			s.empty = false
		case '\n':
			s.fits = s.fits && (!s.begun || s.empty || s.delimiters == s.columns-1)
			s.begun, s.delimiters, s.empty = true, 0, true
		case '\r':
		default:
			s.empty = false
		}
	}
}
