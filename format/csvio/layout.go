package csvio

import (
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/format/internal/jsontext"
)

// layout says which columns of a file the columns of a batch become.
type layout struct {
	columns []*node // of the batch
	cells   []*node // of the file: the nodes that are no groups, from left to right
}

// node is a column of a batch, or of a struct in it.
type node struct {
	field arrow.Field
	name  string // in the file, of a cell
	// group marks a struct whose fields, inner, have columns of their own.
	group bool
	inner []*node
}

func layoutOf(schema *arrow.Schema) (*layout, error) {
	l := &layout{}
	isPair := schema.NumFields() == 2 && schema.Field(0).Name == "key" && schema.Field(1).Name == "value"
	for _, f := range schema.Fields() {
		if inner, isStruct := structOf(f); isPair && isStruct {
			l.columns = append(l.columns, l.group(f, "", inner))
		} else {
			l.columns = append(l.columns, l.column(f, ""))
		}
	}
	seen := map[string]bool{}
	for _, c := range l.cells {
		if seen[c.name] {
			return nil, fmt.Errorf("two columns of the file would have the name %q: rename a field with the tag `fletch:\"name\"`", c.name)
		}
		seen[c.name] = true
	}
	if len(l.cells) == 0 {
		return nil, errors.New("the records have no fields and so the file no columns")
	}
	return l, nil
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

// column lays out a column. prefix is the name of what it stands in, with a dot.
func (l *layout) column(f arrow.Field, prefix string) *node {
	if fields, ok := structOf(f); ok {
		return l.group(f, prefix+f.Name+".", fields)
	}
	if inner, ok := jsontext.Boxed(f); ok {
		return l.group(f, prefix, []arrow.Field{inner}) // inner has the name of f
	}
	n := &node{field: f, name: prefix + f.Name}
	l.cells = append(l.cells, n)
	return n
}

func (l *layout) group(f arrow.Field, prefix string, fields []arrow.Field) *node {
	n := &node{field: f, group: true}
	for _, field := range fields {
		n.inner = append(n.inner, l.column(field, prefix))
	}
	return n
}

// width returns the number of columns of the file that a node becomes.
func (n *node) width() int {
	if !n.group {
		return 1
	}
	w := 0
	for _, inner := range n.inner {
		w += inner.width()
	}
	return w
}
