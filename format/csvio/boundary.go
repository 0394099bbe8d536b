package csvio

import (
	"bytes"

	"fletch/format/internal/input"
)

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
// To decide by what one assumption rules out is from C. Ge et al., Speculative Distributed CSV Data Parsing for Big Data
// Analytics, SIGMOD 2019; a guess is never taken here.
//
// It costs 64 KiB a range where there are quotes, otherwise --max-line, 16 MiB by default, at the speed of
// reading; and the whole file up to the range only where both assumptions make records of every --max-line bytes, as
// with fields in quotes that hold nothing but a delimiter and a newline.
type boundary struct {
	file      *input.File
	delimiter byte
	maxLine   int
	lookBack  int64
	buf       []byte // to read into
}

// find returns where the first record begins that does so at from or later; to, if none does before.
func (b *boundary) find(from, to int64) (int64, error) {
	// The byte before tells whether a record begins exactly here.
	from--
	within, err := b.within(from)
	if err != nil {
		return 0, err
	}
	b.file.SkipTo(from)
	for n := overrunBytes; b.file.Pos() < to; n = min(2*n, len(b.buf)) {
		text, eof, err := b.read(n)
		if err != nil {
			return 0, err
		}
		for i, c := range text {
			if c == '"' {
				within = !within
			} else if c == '\n' && !within {
				return min(b.file.Pos()-int64(len(text)-i-1), to), nil
			}
		}
		if eof {
			break
		}
	}
	return to, nil
}

// read returns up to n of the file's next bytes, which stay valid until the next call.
func (b *boundary) read(n int) (text []byte, eof bool, err error) {
	text = b.buf[:min(n, len(b.buf))]
	n, eof, err = b.file.Fill(text)
	return text[:n], eof, err
}

// within reports whether the byte at an offset stands in quotes.
func (b *boundary) within(at int64) (bool, error) {
	longest := int64(b.maxLine) + 4 // with a line end behind it and before
	for _, back := range []int64{b.lookBack, longest, at} {
		from := at - back
		if from < int64(len(byteOrderMark)) {
			from = 0
		}
		v, err := b.view(from, at)
		if err != nil {
			return false, err
		}
		switch {
		case from == 0:
			return v.odd, nil
		case v.refuted[0] != v.refuted[1]:
			return v.odd != v.refuted[0], nil
		case v.refuted[0]:
			return false, nil // what is before is invalid, and the task that reads it fails
		case back >= longest && v.ended[0] != v.ended[1]:
			return v.odd != v.ended[1], nil
		}
	}
	panic("unreachable: the last piece begins with the file")
}

// view looks at the file between two offsets.
func (b *boundary) view(from, to int64) (*view, error) {
	v := &view{delimiter: b.delimiter}
	b.file.SkipTo(from)
	for b.file.Pos() < to {
		text, _, err := b.read(int(min(to-b.file.Pos(), int64(len(b.buf)))))
		if err != nil {
			return nil, err
		}
		v.add(text)
	}
	return v, nil
}

// view is what a piece of a file tells of where it begins: outside of quotes (0) or within (1).
type view struct {
	delimiter byte
	odd       bool    // the number of its quotes
	refuted   [2]bool // it cannot begin there
	ended     [2]bool // if it begins there, a record ends in it

	row    int  // how many quotes stand in a row at its end
	before byte // the byte before these; zero where it is not known
}

func (v *view) add(text []byte) {
	for len(text) > 0 {
		if text[0] == '"' {
			v.odd = !v.odd
			v.row++
			text = text[1:]
			continue
		}
		v.judge(text[0])
		n := bytes.IndexByte(text, '"')
		if n < 0 {
			n = len(text)
		}
		outside := 0 // where it has begun if this is outside of quotes
		if v.odd {
			outside = 1
		}
		v.ended[outside] = v.ended[outside] || bytes.IndexByte(text[:n], '\n') >= 0
		v.before, v.row, text = text[n-1], 0, text[n:]
	}
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
