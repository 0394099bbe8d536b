package csvio

import (
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"fletch/format/internal/jsontext"
)

// table lays the columns of a batch out flat, as a row of cells.
type table struct {
	columns []branch // of the batch
	cells   []*cell
}

// cell is one column of the file.
type cell struct {
	name    string
	encoder jsontext.Encoder
	above   []*nulls // of the columns that it stands in, and its own
}

// nulls is where a column of the batch at hand has no values.
type nulls struct{ column arrow.Array } // nil: it has all its values

func (n *nulls) at(row int) bool { return n.column != nil && n.column.IsNull(row) }

// branch points the cells of one column, or of one struct's field, at a batch.
type branch func(column arrow.Array)

func newTable(schema *arrow.Schema) (*table, error) {
	l, err := layoutOf(schema)
	if err != nil {
		return nil, err
	}
	t := &table{}
	for _, n := range l.columns {
		t.columns = append(t.columns, t.branch(n, nil))
	}
	return t, nil
}

// branch adds the cells of a node. above are the nulls of what it stands in.
func (t *table) branch(n *node, above []*nulls) branch {
	own := &nulls{}
	if n.field.Nullable {
		above = append(slices.Clip(above), own)
	}
	if !n.group {
		f := n.field
		f.Name = n.name
		added := &cell{f.Name, newEncoder(f), above}
		t.cells = append(t.cells, added)
		return func(c arrow.Array) {
			own.reset(c)
			added.encoder.Reset(c)
		}
	}
	var within []branch
	for _, inner := range n.inner {
		within = append(within, t.branch(inner, above))
	}
	return func(c arrow.Array) {
		own.reset(c)
		for i, b := range within {
			b(c.(*array.Struct).Field(i)) // cut to the struct's own rows
		}
	}
}

func (n *nulls) reset(c arrow.Array) {
	n.column = nil
	if c.NullN() > 0 {
		n.column = c
	}
}

func (t *table) reset(rec arrow.Record) {
	for i, b := range t.columns {
		b(rec.Column(i))
	}
}

func (t *table) appendHeader(dst []byte) []byte {
	start := len(dst)
	for i, c := range t.cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendField(dst, c.name)
	}
	return endRow(dst, start)
}

func (t *table) appendRow(dst []byte, row int) ([]byte, error) {
	start := len(dst)
	for i, c := range t.cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = c.append(dst, row); err != nil {
			return dst, err
		}
	}
	return endRow(dst, start), nil
}

// endRow ends the row that begins at start. A single empty cell is quoted: an empty line would be no row.
func endRow(dst []byte, start int) []byte {
	if len(dst) == start {
		dst = append(dst, `""`...)
	}
	return append(dst, '\n')
}

func (c *cell) append(dst []byte, row int) ([]byte, error) {
	for _, n := range c.above {
		if n.at(row) {
			return dst, nil
		}
	}
	return c.encoder.Append(dst, row)
}
