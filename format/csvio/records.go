package csvio

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// records makes batches of one schema out of the fields that a scanner has found, whose wanted columns are the cells of
// the schema's layout.
type records struct {
	schema  *arrow.Schema
	columns []*column

	// Of the text at hand:
	text  []byte
	spans [][]span
	rows  int     // how many of its records are known to be good so far
	wrong *misfit // of the one that follows them
	cell  int     // that wrong is of
}

// column makes one column of a batch, or of a struct in it.
type column struct {
	field arrow.Field
	cells []int // that it is made of
	// optional are the cells of the innermost column that may be null among this one and those that it stands in. If
	// all of them are empty, the value is absent.
	optional []int
	decode   decoder   // of one cell; nil for a struct
	inner    []*column // of a struct
}

func newRecords(schema *arrow.Schema, l *layout) *records {
	r := &records{schema: schema}
	cells := 0
	for _, n := range l.columns {
		r.columns = append(r.columns, newColumn(n, &cells, nil))
	}
	return r
}

// newColumn compiles a node. cells counts those before it; outer are the optional cells of what it stands in.
func newColumn(n *node, cells *int, outer []int) *column {
	c := &column{field: n.field, optional: outer}
	for range n.width() {
		c.cells = append(c.cells, *cells+len(c.cells))
	}
	if n.field.Nullable {
		c.optional = c.cells
	}
	if !n.group {
		c.decode = newDecoder(n.field)
		*cells++
	}
	for _, inner := range n.inner {
		c.inner = append(c.inner, newColumn(inner, cells, c.optional))
	}
	return c
}

// batch makes a batch of the records that s has found in text. If one of them is wrong, it says what is, of the first one
// that is.
func (r *records) batch(text []byte, s *scanner) (arrow.Record, *flaw) {
	r.text, r.spans, r.rows, r.wrong = text, s.spans, s.rows, nil
	arrays := make([]arrow.Array, len(r.columns))
	for i, c := range r.columns {
		if data := r.build(c); r.wrong == nil {
			arrays[i] = array.MakeFromData(data)
		}
	}
	if r.wrong != nil {
		field := r.spans[r.cell][r.wrong.row]
		return nil, &flaw{int(field.from), int(field.to &^ doubled), s.columnOf(r.cell), r.wrong.why}
	}
	return array.NewRecord(r.schema, arrays, int64(r.rows)), nil
}

// build makes the data of a column, which means nothing once a field is wrong: then only the records before that one are
// looked at, as a column that follows may find an earlier mistake.
func (r *records) build(c *column) *array.Data {
	absent := func(row int) bool { return r.empty(c.optional, row) }
	var data *array.Data
	if c.decode != nil {
		cell := c.cells[0]
		var wrong *misfit
		if data, wrong = c.decode(fields{r.text, r.spans[cell][:r.rows], absent}); wrong != nil {
			r.wrong, r.cell, r.rows = wrong, cell, wrong.row
			return nil
		}
	} else {
		var children []arrow.ArrayData
		for _, inner := range c.inner {
			children = append(children, r.build(inner))
		}
		if r.wrong == nil {
			data = array.NewData(c.field.Type, r.rows, []*memory.Buffer{nil}, children, 0, 0)
		}
	}
	if r.wrong == nil && c.field.Nullable {
		return withNulls(data, absent)
	}
	return data
}

// empty reports whether all of some cells are empty in a row; no cells are not.
func (r *records) empty(cells []int, row int) bool {
	for _, c := range cells {
		if !r.spans[c][row].empty() {
			return false
		}
	}
	return len(cells) > 0
}

// withNulls returns data with nulls in the rows that are absent.
func withNulls(data *array.Data, absent func(row int) bool) *array.Data {
	n, nulls := data.Len(), 0
	valid := make([]byte, bitutil.BytesForBits(int64(n)))
	for row := range n {
		if absent(row) {
			nulls++
		} else {
			bitutil.SetBit(valid, row)
		}
	}
	buffers := append([]*memory.Buffer{memory.NewBufferBytes(valid)}, data.Buffers()[1:]...)
	return array.NewData(data.DataType(), n, buffers, data.Children(), nulls, 0)
}
