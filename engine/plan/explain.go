package plan

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxShownType caps the width of the column of types.
const maxShownType = 40

// Explain shows a plan to its author: a block for each stage with a line for each of its operators, in the order in
// which a record passes them, and what the facts tell so far. An exchange ends the stage that writes it and begins the
// one that reads it. The stages are those of Partitions.
func Explain(g *Graph, stages []Stage, facts Facts) string {
	e := &explainer{graph: g, stages: stages, facts: &facts, readers: make(map[int]int), live: make([]bool, len(g.Nodes))}
	for i := range stages {
		if stages[i].Parents != nil {
			e.readers[stages[i].Root] = i
		}
		for _, n := range stages[i].Nodes {
			e.live[n] = true
		}
	}
	blocks := make([][]line, len(stages))
	var wide line // the widest cells
	for i := range stages {
		blocks[i] = e.lines(&stages[i])
		for _, l := range blocks[i] {
			for c := range l {
				wide[c] = max(wide[c], strings.Repeat(" ", utf8.RuneCountInString(l[c])))
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", g.Job, count(len(stages), "stage"))
	for i, block := range blocks {
		fmt.Fprintf(&b, "\n┌ stage %d: %s\n", i, e.header(&stages[i]))
		for k, l := range block {
			bar := "│ "
			if k == len(block)-1 {
				bar = "└ "
			}
			b.WriteString(bar + l.pad(wide) + "\n")
		}
	}
	if dead := e.dead(); dead != "" {
		fmt.Fprintf(&b, "\nleft out, as no sink needs it: %s\n", dead)
	}
	return b.String()
}

type explainer struct {
	graph   *Graph
	stages  []Stage
	facts   *Facts
	readers map[int]int // by exchange: the stage that reads it
	live    []bool      // by node
}

// line is one operator's: node, operator, call site, type, notes.
type line [5]string

// pad returns the cells in columns as wide as wide's, without spaces at the end.
func (l line) pad(wide line) string {
	var b strings.Builder
	for c, cell := range l {
		b.WriteString(cell)
		b.WriteString(wide[c][min(utf8.RuneCountInString(cell), len(wide[c])):] + "  ")
	}
	return strings.TrimRight(b.String(), " ")
}

// header says what the stage reads and how far it is.
func (e *explainer) header(s *Stage) string {
	var words []string
	if n := &e.graph.Nodes[s.Root]; n.Kind == Source {
		words = append(words, e.splits(n))
	} else {
		words = append(words, e.partitions(s))
		if bytes := e.facts.Bytes[s.Root]; bytes != nil {
			words = append(words, size(sum(bytes)))
		}
	}
	if s.ID < len(e.facts.Tasks) && e.facts.Tasks[s.ID] > 0 {
		words = append(words, count(e.facts.Tasks[s.ID], "task"))
	}
	if s.ID < len(e.facts.Complete) && e.facts.Complete[s.ID] {
		words = append(words, "complete")
	}
	return strings.Join(words, ", ")
}

func (e *explainer) partitions(s *Stage) string {
	words := count(s.Partitions, "partition")
	if s.Partitions == 0 {
		words = "partitions, as many as the input needs,"
	}
	if len(s.Parents) == 1 {
		return words + " of stage " + join(s.Parents)
	}
	return words + " of stages " + join(s.Parents)
}

func (e *explainer) splits(n *Node) string {
	splits, err := e.facts.splits(n)
	if err != nil {
		return "input not listed"
	}
	var bytes int64
	for _, s := range splits {
		bytes = addCapped(bytes, s.Bytes)
	}
	return count(len(splits), "split") + " of " + size(bytes)
}

// lines returns the stage's operators.
func (e *explainer) lines(s *Stage) []line {
	within := make(map[int]bool, len(s.Nodes))
	var lines []line
	for i, id := range s.Nodes {
		n := &e.graph.Nodes[id]
		var notes []string
		if i > 0 {
			if from := inputs(n, within); len(from) > 1 || from[0] != s.Nodes[i-1] {
				notes = append(notes, "from "+join(from))
			}
		}
		notes = append(notes, e.does(n, i == 0)...)
		within[id] = true
		lines = append(lines, line{fmt.Sprint(id), n.Op, place(n), clip(n.Type), strings.Join(notes, ", ")})
	}
	return lines
}

// inputs returns the inputs of n that lie within a stage.
func inputs(n *Node, within map[int]bool) []int {
	var from []int
	for _, in := range n.Inputs {
		if within[in] {
			from = append(from, in)
		}
	}
	return from
}

// does says what a source, an exchange or a sink does in a stage of which it may be the root.
func (e *explainer) does(n *Node, root bool) []string {
	switch {
	case n.Kind == Source && len(n.Source.Patterns) > 0:
		note := "read " + n.Source.Patterns[0]
		if more := len(n.Source.Patterns) - 1; more > 0 {
			note += fmt.Sprintf(" and %d more", more)
		}
		return []string{note}
	case n.Kind == Source:
		return []string{"make " + count(n.Source.Items, "item")}
	case n.Kind == Sink:
		return []string{"write " + strings.TrimSuffix(n.Sink.Path, "/") + "/part-*" + n.Sink.Suffix}
	case n.Kind == Exchange && root && n.Exchange.Ordered:
		return []string{"merge by key"}
	case n.Kind == Exchange && root:
		return []string{"gather"}
	case n.Kind == Exchange:
		var notes []string
		if n.Exchange.Combine {
			notes = append(notes, "combine")
		}
		to := e.readers[n.ID]
		how := [...]string{"shuffle by hash", "shuffle by row", "shuffle into one"}[n.Exchange.Partitioning]
		return append(notes, fmt.Sprintf("%s to stage %d", how, to))
	}
	return nil
}

// dead names the operators that no stage contains.
func (e *explainer) dead() string {
	var names []string
	for i, live := range e.live {
		if !live {
			n := &e.graph.Nodes[i]
			names = append(names, n.Op+" ("+place(n)+")")
		}
	}
	return strings.Join(names, ", ")
}

// place returns the call site without its directory.
func place(n *Node) string { return n.Site[strings.LastIndexByte(n.Site, '/')+1:] }

// clip shortens a type to the width of its column.
func clip(s string) string {
	if utf8.RuneCountInString(s) <= maxShownType {
		return s
	}
	return string([]rune(s)[:maxShownType-1]) + "…"
}

// count returns "1 task" or "2 tasks".
func count[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func join(ids []int) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = fmt.Sprint(id)
	}
	return strings.Join(words, ", ")
}

func sum(sizes []int64) int64 {
	var total int64
	for _, n := range sizes {
		total = addCapped(total, n)
	}
	return total
}

// size returns a number of bytes with a decimal unit.
func size(bytes int64) string {
	if bytes < 1000 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes)/1000, 0
	for value >= 999.95 && unit < 5 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", value, "kMGTPE"[unit])
}
