package csvio

import (
	"errors"
	"fmt"
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
	t := &table{}
	isPair := schema.NumFields() == 2 && schema.Field(0).Name == "key" && schema.Field(1).Name == "value"
	for _, f := range schema.Fields() {
		inner, isStruct := structOf(f)
		if isPair && isStruct {
			t.columns = append(t.columns, t.fields(f, "", inner, nil))
		} else {
			t.columns = append(t.columns, t.column(f, "", nil))
		}
	}
	seen := map[string]bool{}
	for _, c := range t.cells {
		if seen[c.name] {
			return nil, fmt.Errorf("two columns of the file would have the name %q: rename a field with the tag `fletch:\"name\"`", c.name)
		}
		seen[c.name] = true
	}
	if len(t.cells) == 0 {
		return nil, errors.New("the records have no fields and so the file no columns")
	}
	return t, nil
}

// structOf returns the fields of a column that becomes several.
func structOf(f arrow.Field) ([]arrow.Field, bool) {
	s, ok := f.Type.(*arrow.StructType)
	if !ok || jsontext.IsTime(s) {
		return nil, false
	}
	if _, boxed := jsontext.Boxed(f); boxed {
		return nil, false
	}
	return s.Fields(), true
}

// column adds the cells of a column. prefix is the name of what it stands in, with a dot; above are its nulls.
func (t *table) column(f arrow.Field, prefix string, above []*nulls) branch {
	if fields, ok := structOf(f); ok {
		return t.fields(f, prefix+f.Name+".", fields, above)
	}
	own, above := nullsOf(f, above)
	if inner, ok := jsontext.Boxed(f); ok {
		within := t.column(inner, prefix, above)
		return func(c arrow.Array) {
			own.reset(c)
			within(c.(*array.Struct).Field(0))
		}
	}
	f.Name = prefix + f.Name
	added := &cell{f.Name, newEncoder(f), above}
	t.cells = append(t.cells, added)
	return func(c arrow.Array) {
		own.reset(c)
		added.encoder.Reset(c)
	}
}

// fields adds the cells of a struct's fields.
func (t *table) fields(f arrow.Field, prefix string, fields []arrow.Field, above []*nulls) branch {
	own, above := nullsOf(f, above)
	var within []branch
	for _, field := range fields {
		within = append(within, t.column(field, prefix, above))
	}
	return func(c arrow.Array) {
		own.reset(c)
		for i, b := range within {
			b(c.(*array.Struct).Field(i)) // cut to the struct's own rows
		}
	}
}

// nullsOf returns the nulls of a column, and adds them to those above where it can have any.
func nullsOf(f arrow.Field, above []*nulls) (*nulls, []*nulls) {
	own := &nulls{}
	if f.Nullable {
		above = append(slices.Clip(above), own)
	}
	return own, above
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
