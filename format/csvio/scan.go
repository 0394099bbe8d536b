package csvio

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"unsafe"
)

// padding is how many bytes that may be read and mean nothing stand behind a text: what looks at eight or sixteen bytes
// at a time needs no other care at its end. They are newlines, so that the last record has an end.
const padding = 16

// span is where a field stands in a text: without its quotes, and without the carriage return that ends a line. Of
// a quoted field with quotes in it, which are still doubled, the top bit of to is set.
type span struct{ from, to uint32 }

const doubled = 1 << 31

func (s span) empty() bool { return s.from == s.to }

// of returns the field: a view of the text where that holds it as it is.
func (s span) of(text []byte) []byte {
	b := text[s.from : s.to&^doubled]
	if s.to&doubled != 0 {
		return bytes.ReplaceAll(b, []byte(`""`), []byte(`"`))
	}
	return b
}

// scanner finds the records of a text and the fields that are wanted of them.
type scanner struct {
	delimiter byte
	maxLine   int // the longest record, in bytes
	// Of the file that the text is from:
	wanted []int // by column: where spans has its fields; below zero: they are passed over

	// Of the last text:
	rows   int
	starts []uint32 // where each record begins
	spans  [][]span // by wanted column and row
}

// newScanner returns a scanner for some number of wanted columns.
func newScanner(delimiter byte, maxLine, columns int) *scanner {
	return &scanner{delimiter: delimiter, maxLine: maxLine, spans: make([][]span, columns)}
}

// flaw is what is wrong with a text.
type flaw struct {
	from, to int    // the field, as far as it can be told, or the record
	column   int    // of the file; below zero: it is the record as a whole
	why      string // behind the field or the record
}

// scan finds the records that begin before limit in a text, which padding follows. If the text does not end with its
// file, the last record may be incomplete: it is left. end is where the first record begins that is left. A flaw ends
// the scan at the record that has it.
func (s *scanner) scan(text []byte, limit int, eof bool) (end int, wrong *flaw) {
	s.rows = 0
	for end < min(limit, len(text)) {
		if s.rows == len(s.starts) {
			s.grow()
		}
		next, wrong := s.record(text, end, eof)
		if next < 0 || wrong != nil {
			return end, wrong
		}
		end = next
	}
	return min(end, len(text)), nil
}

func (s *scanner) grow() {
	s.starts = append(s.starts, make([]uint32, max(len(s.starts), 64))...)
	for i := range s.spans {
		s.spans[i] = append(s.spans[i], make([]span, len(s.starts)-len(s.spans[i]))...)
	}
}

// record finds the fields of the record at start, unless that is a line without any. It returns where the next one
// begins; below zero: this one is incomplete.
//
// It goes from mark to mark, which are the delimiters, newlines and quotes. What stands in quotes is passed over by
// the search for the next quote.
func (s *scanner) record(text []byte, start int, eof bool) (next int, wrong *flaw) {
	p := unsafe.Pointer(unsafe.SliceData(text))
	delimiters := uint64(s.delimiter) * ones
	column, from := 0, start
	word, marks := start, marksOf(wordAt(p, start), delimiters)
	for {
		for marks == 0 {
			word += 8
			marks = marksOf(wordAt(p, word), delimiters)
		}
		at := word + bits.TrailingZeros64(marks)/8
		marks &= marks - 1
		mark, field := byteAt(p, at), span{uint32(from), uint32(at)}
		switch {
		case mark == '"' && at == from:
			if at, field.to, wrong = s.quoted(text, at, eof); wrong != nil {
				wrong.column = column
				return 0, wrong
			} else if at < 0 {
				return at, nil
			}
			field.from++
			mark = byteAt(p, at)
			word, marks = at+1, marksOf(wordAt(p, at+1), delimiters)
		case mark == '"':
			return 0, &flaw{from, at + 1, column, "has a quote in it but does not begin with one"}
		case mark == '\n' && at > from && byteAt(p, at-1) == '\r':
			field.to--
		}
		if column < len(s.wanted) {
			if i := s.wanted[column]; i >= 0 {
				s.spans[i][s.rows] = field
			}
		}
		if mark != '\n' {
			column, from = column+1, at+1
			continue
		}
		return s.end(text, start, at, column+1, eof)
	}
}

// quoted finds the end of the field whose first quote stands at from. mark is where the delimiter or newline behind it
// stands, perhaps in the padding, and to the field's end as spans have it. Below zero, mark says that the field is
// incomplete.
func (s *scanner) quoted(text []byte, from int, eof bool) (mark int, to uint32, wrong *flaw) {
	p := unsafe.Pointer(unsafe.SliceData(text))
	var flag uint32
	for at := from + 1; ; at += 2 {
		i := bytes.IndexByte(text[at:], '"')
		if i < 0 && eof {
			return 0, 0, &flaw{from: from, to: len(text), why: "has no closing quote"}
		} else if i < 0 {
			return -1, 0, nil
		}
		at += i
		mark = at + 1
		switch byteAt(p, mark) {
		case '"':
			flag = doubled
			continue
		case '\n', s.delimiter:
			return mark, uint32(at) | flag, nil
		case '\r':
			if mark++; byteAt(p, mark) == '\n' {
				return mark, uint32(at) | flag, nil
			}
		}
		return 0, 0, &flaw{from: from, to: mark, why: "goes on behind its closing quote"}
	}
}

// end ends the record whose last field stands before mark.
func (s *scanner) end(text []byte, start, mark, fields int, eof bool) (next int, wrong *flaw) {
	length := mark - start
	if length > 0 && text[mark-1] == '\r' {
		length--
	}
	switch {
	case mark == len(text) && !eof:
		return -1, nil
	case length == 0:
		return mark + 1, nil
	case length > s.maxLine:
		return 0, &flaw{start, mark, -1, tooLong(s.maxLine)}
	case fields != len(s.wanted):
		return 0, &flaw{start, mark, -1, fmt.Sprintf("has %d fields, the first one of the file %d", fields, len(s.wanted))}
	}
	s.starts[s.rows] = uint32(start)
	s.rows++
	return mark + 1, nil
}

func tooLong(maxLine int) string {
	return fmt.Sprintf("is longer than %d bytes: raise --max-line if it is right, or look for a quote in it that is never closed", maxLine)
}

// columnOf returns the column of the file whose fields are in spans[i].
func (s *scanner) columnOf(i int) int { return slices.Index(s.wanted, i) }

// Eight bytes are a number whose lowest byte is the first one, as the machines have it that Fletch runs on.
const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// wordAt returns the eight bytes at an offset, of which any may be padding.
func wordAt(p unsafe.Pointer, at int) uint64 {
	return *(*uint64)(unsafe.Add(p, at))
}

func byteAt(p unsafe.Pointer, at int) byte { return *(*byte)(unsafe.Add(p, at)) }

// marksOf sets the top bit of each byte that is the delimiter, a newline or a quote, and no other bit.
func marksOf(word, delimiters uint64) uint64 {
	return ^(other(word^delimiters) & other(word^'\n'*ones) & other(word^'"'*ones)) & tops
}

// other sets the top bit of each byte that is not zero. The other bits mean nothing.
func other(word uint64) uint64 { return word&^tops + ^uint64(tops) | word }
