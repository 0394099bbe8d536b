package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// screen is a terminal: it understands what bars writes, keeps what scrolls off, and wraps its lines anew when it is
// resized. Anything else that it is told is an error.
type screen struct {
	columns, rows int
	lines         []screenLine
	row, column   int // of the cursor; row counts from the first line ever
	wrapped       int // how many times a line was too long
	raw           string
}

type screenLine struct {
	cells     []rune // a wide rune takes two, the second is -1
	continues bool   // wrapped into the next line
}

func newScreen(columns, rows int) *screen {
	return &screen{columns: columns, rows: rows, lines: make([]screenLine, 1)}
}

func (s *screen) size() (columns, rows int) { return s.columns, s.rows }

func (s *screen) Write(b []byte) (int, error) {
	s.raw = string(b)
	for text := s.raw; text != ""; {
		if strings.HasPrefix(text, "\x1b[") {
			end := strings.IndexFunc(text[2:], func(r rune) bool { return r >= '@' })
			if end < 0 {
				return 0, fmt.Errorf("unfinished sequence %q", text)
			}
			if err := s.control(text[2:2+end], text[2+end]); err != nil {
				return 0, err
			}
			text = text[2+end+1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		if err := s.put(r); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (s *screen) control(parameter string, final byte) error {
	switch {
	case final == 'm':
	case final == 'A':
		n, err := strconv.Atoi(parameter)
		s.row = max(s.row-n, len(s.lines)-s.rows, 0)
		return err
	case final == 'K' && parameter == "":
		l := &s.lines[s.row]
		l.cells, l.continues = l.cells[:min(s.column, len(l.cells))], false
	case final == 'J' && parameter == "":
		l := &s.lines[s.row]
		l.cells, l.continues = l.cells[:min(s.column, len(l.cells))], false
		for i := s.row + 1; i < len(s.lines); i++ {
			s.lines[i] = screenLine{}
		}
	default:
		return fmt.Errorf("unknown sequence %q%c", parameter, final)
	}
	return nil
}

func (s *screen) put(r rune) error {
	switch {
	case r == '\r':
		s.column = 0
		return nil
	case r == '\n':
		s.newline()
		return nil
	case r < ' ' || r == 0x7f:
		return fmt.Errorf("unknown control character %q", r)
	}
	n := runeColumns(r)
	if s.column+n > s.columns {
		s.wrapped++
		s.lines[s.row].continues = true
		s.newline()
	}
	l := &s.lines[s.row]
	for len(l.cells) < s.column+n {
		l.cells = append(l.cells, ' ')
	}
	for i := range n {
		l.cells[s.column+i] = -1
	}
	if n > 0 {
		l.cells[s.column] = r
	}
	s.column += n
	return nil
}

func (s *screen) newline() {
	s.column = 0
	if s.row++; s.row == len(s.lines) {
		s.lines = append(s.lines, screenLine{})
	}
}

// resize wraps the lines anew; the cursor stands at the beginning of one.
func (s *screen) resize(columns, rows int) {
	var lines []screenLine
	var whole []rune
	row := 0
	for i, l := range s.lines {
		if i == s.row {
			row = len(lines)
		}
		if whole = append(whole, l.cells...); l.continues {
			continue
		}
		for len(whole) > columns {
			lines = append(lines, screenLine{whole[:columns:columns], true})
			whole = whole[columns:]
		}
		lines = append(lines, screenLine{whole, false})
		whole = nil
	}
	s.columns, s.rows, s.lines, s.row = columns, rows, lines, row
}

// String returns what the screen shows, with what has scrolled off above it.
func (s *screen) String() string {
	var b strings.Builder
	for _, l := range s.lines {
		for _, r := range l.cells {
			if r >= 0 {
				b.WriteRune(r)
			}
		}
		b.WriteByte('\n')
	}
	return strings.TrimLeft(strings.TrimRight(b.String(), "\n")+"\n", "\n")
}
