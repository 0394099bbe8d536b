package csvio

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// byteOrderMark may stand at the beginning of a file.
var byteOrderMark = []byte("\xef\xbb\xbf")

// first is the first record of a file: its header, if it has one.
type first struct {
	names []string // its fields; none: the file holds no record
	begin int      // where it begins
	end   int      // where the next one begins
}

// readFirst returns the first record of a file, of which text is the beginning. It is not complete if the text may end
// within it.
func readFirst(text []byte, delimiter byte, eof bool) (f first, complete bool, err error) {
	if bytes.HasPrefix(text, byteOrderMark) {
		f.begin = len(byteOrderMark)
	}
	r := csv.NewReader(bytes.NewReader(text[f.begin:]))
	r.Comma = rune(delimiter)
	f.names, err = r.Read()
	f.end = f.begin + int(r.InputOffset())
	switch {
	case f.end == len(text) && !eof:
		return first{}, false, nil
	case errors.Is(err, io.EOF):
		return first{begin: len(text), end: len(text)}, true, nil
	case err != nil:
		return first{}, true, fmt.Errorf("cannot be read: %w", err)
	}
	return f, true, nil
}

// columns returns the names of a file's columns, of which fields is the first record, and which are wanted: for each the
// number of its cell, or -1.
func (o *options) columns(fields []string, cells []*node) (names []string, wanted []int, err error) {
	if o.headless {
		return inOrder(fields, cells)
	}
	wanted, err = match(fields, cells)
	return fields, wanted, err
}

// match returns the wanted columns of a file whose header has the given names. A cell takes the column that has its name, or
// else the one whose name differs in case alone.
func match(names []string, cells []*node) ([]int, error) {
	wanted := make([]int, len(names))
	for i := range wanted {
		wanted[i] = -1
	}
	if len(names) == 0 {
		return nil, errors.New("is missing: the file is empty, without even a header: write it again, or leave it out")
	}
	missing := map[int]bool{}
	for cell, n := range cells {
		found := find(names, func(column int) bool { return names[column] == n.name })
		if len(found) > 1 {
			return nil, fmt.Errorf("has the name %q twice, in the columns %d and %d: rename one of them", n.name, found[0]+1, found[1]+1)
		}
		missing[cell] = len(found) == 0
		for _, column := range found {
			wanted[column] = cell
		}
	}
	for cell, n := range cells {
		if !missing[cell] {
			continue
		}
		found := find(names, func(column int) bool { return wanted[column] < 0 && strings.EqualFold(names[column], n.name) })
		switch len(found) {
		case 0:
			return nil, fmt.Errorf("has no column %q, but %s: %s", n.name, quoteAll(names), advice(names))
		case 1:
			wanted[found[0]] = cell
		default:
			return nil, fmt.Errorf("has %q and %q for the column %q: choose one with a field's tag `fletch:\"name\"`", names[found[0]], names[found[1]], n.name)
		}
	}
	return wanted, nil
}

// advice says what to do about a column that is not there.
func advice(names []string) string {
	if i := strings.IndexAny(names[0], ";\t|"); i >= 0 && len(names) == 1 {
		return fmt.Sprintf("if %q stands between its fields, give Read the option csvio.Delimiter(%[1]q)", names[0][i])
	}
	return "a field's tag `fletch:\"name\"` says what its column is named"
}

func find(names []string, is func(column int) bool) (found []int) {
	for column := range names {
		if is(column) {
			found = append(found, column)
		}
	}
	return found
}

// quoteAll writes names for a message.
func quoteAll(names []string) string {
	const most = 50
	var b strings.Builder
	for i, name := range names[:min(len(names), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.40q", name)
	}
	if more := len(names) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// inOrder is columns for a file without a header: the leftmost columns are those of the cells, in their order. A file
// without records has none.
func inOrder(fields []string, cells []*node) (names []string, wanted []int, err error) {
	if len(fields) > 0 && len(fields) < len(cells) {
		return nil, nil, fmt.Errorf("has %d fields, fewer than the %d that the records' type has", len(fields), len(cells))
	}
	names, wanted = make([]string, len(fields)), make([]int, len(fields))
	for i := range wanted {
		wanted[i] = -1
		if i < len(cells) {
			names[i], wanted[i] = cells[i].name, i
		}
	}
	return names, wanted, nil
}
