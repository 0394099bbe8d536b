package report

import (
	"fmt"
	"io"
	"strings"
)

// column is one column of a table. One without any text isn't shown.
type column struct {
	title string // empty throughout a table: no line of titles
	right bool   // aligned
	cells []string
}

func (c *column) width() int {
	wide := 0
	for _, cell := range c.cells {
		wide = max(wide, columns(cell))
	}
	if wide == 0 {
		return 0
	}
	return max(wide, columns(c.title))
}

// writeTable writes the columns side by side, two spaces between them, each line behind the indent.
func writeTable(w io.Writer, indent string, table []*column) {
	lines := make([]strings.Builder, len(table[0].cells)+1)
	for _, c := range table {
		wide := c.width()
		if wide == 0 {
			continue
		}
		for i, cell := range append([]string{c.title}, c.cells...) {
			lines[i].WriteString(pad(cell, wide, c.right) + "  ")
		}
	}
	for i := range lines {
		if line := strings.TrimRight(lines[i].String(), " "); i > 0 || line != "" {
			fmt.Fprint(w, strings.TrimRight(indent+line, " ")+"\n")
		}
	}
}
