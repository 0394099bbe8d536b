package plan

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxShownType caps the width of the column of types.
const maxShownType = 40

// Explain shows a plan to its author: a block for each stage with a line for each of its operators, in the order in
// which a record passes them, and what the facts tell so far. An exchange ends the stage that writes it and begins the
// one that reads it. The stages are those of Settle.
func Explain(g *Graph, stages []Stage, facts Facts) string {
	e := &explainer{graph: g, stages: stages, facts: &facts, readers: make(map[int][]int), wholes: make(map[int][]int), live: make([]bool, len(g.Nodes))}
	for i := range stages {
		for _, x := range stages[i].Inputs(g) {
			e.readers[x] = append(e.readers[x], i)
		}
		for _, x := range stages[i].Sides {
			e.wholes[x] = append(e.wholes[x], i)
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
	readers map[int][]int // by exchange: the stages whose tasks share it out
	wholes  map[int][]int // by exchange: the stages that have it as a side
	live    []bool        // by node
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
		words = append(words, e.splits(s, n))
	} else {
		words = append(words, e.partitions(s))
		if bytes, known := e.bytes(s); known {
			words = append(words, size(bytes))
		}
	}
	if s.Pass > 0 {
		words = append(words, "read again")
	}
	if s.OrderDependent {
		words = append(words, "order-dependent")
	}
	for _, c := range s.If {
		few := "more than %s or %d blocks"
		if c.Small {
			few = "at most %s and %d blocks"
		}
		words = append(words, fmt.Sprintf("only if %d has "+few, c.Exchange, size(lookupBytes), lookupBlocks))
	}
	if s.ID < len(e.facts.Tasks) && e.facts.Tasks[s.ID] > 0 {
		words = append(words, count(e.facts.Tasks[s.ID], "task"))
	}
	if e.facts.complete(s.ID) {
		if len(s.If) > 0 && (s.ID >= len(e.facts.Tasks) || e.facts.Tasks[s.ID] == 0) {
			words = append(words, "skipped")
		} else {
			words = append(words, "complete")
		}
	}
	return strings.Join(words, ", ")
}

func (e *explainer) partitions(s *Stage) string {
	words := count(s.Partitions, "partition")
	if s.Partitions == 0 {
		words = "partitions, as many as the input needs,"
	}
	if s.Thin {
		words = "a sample of " + words
	}
	var writers []int
	for _, parent := range s.Parents {
		if slices.ContainsFunc(s.Inputs(e.graph), func(x int) bool { return slices.Contains(e.stages[parent].Outputs, x) }) {
			writers = append(writers, parent)
		}
	}
	return words + " of " + stagesOf(writers)
}

// bytes returns the measured size of what the stage's tasks share out. Of a job that has ended, no more than that is kept.
func (e *explainer) bytes(s *Stage) (total int64, known bool) {
	for _, x := range s.Inputs(e.graph) {
		total, known = addCapped(total, sum(e.facts.Bytes[x])), known || e.facts.Bytes[x] != nil
	}
	return total, known
}

func (e *explainer) splits(s *Stage, n *Node) string {
	splits, err := e.facts.splits(n)
	if err != nil {
		return "input not listed"
	}
	words := count(len(splits), "split") + " of " + size(bytesOf(splits))
	if s.Thin {
		return fmt.Sprintf("a sample of %s of %s", size(bytesOf(Sampled(splits))), words)
	}
	return words
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
			if len(n.Sides) > 0 {
				notes = append(notes, "with all of "+join(n.Sides))
			}
		}
		notes = append(notes, e.does(s, n)...)
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

// does says what a source, an exchange, a meet or a sink does in a stage.
func (e *explainer) does(s *Stage, n *Node) []string {
	root := n.ID == s.Root
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
	case n.Kind == Meet && !root:
		looked := n.Inputs[0]
		if slices.Contains(s.Nodes, looked) {
			looked = n.Inputs[1]
		}
		return []string{fmt.Sprintf("look up all of %d by key", looked)}
	case n.Kind == Meet:
		return []string{fmt.Sprintf("%d meets %d by key", n.Inputs[0], n.Inputs[1])}
	case n.Kind == Exchange && root && n.Exchange.Ordered:
		return []string{"merge by key"}
	case n.Kind == Exchange && root:
		return []string{"gather"}
	case n.Kind == Exchange && !slices.Contains(s.Outputs, n.ID):
		return []string{"stay"}
	case n.Kind == Exchange:
		return e.moves(n)
	}
	return nil
}

// moves says where an exchange takes what is written to it.
func (e *explainer) moves(n *Node) (notes []string) {
	if n.Exchange.Thin {
		notes = append(notes, "sample")
	}
	if n.Exchange.Combine {
		notes = append(notes, "combine")
	}
	if to := e.readers[n.ID]; len(to) > 0 {
		how := [...]string{"shuffle by hash", "shuffle by row", "shuffle into one", "shuffle by range"}[n.Exchange.Partitioning]
		notes = append(notes, how+" to "+stagesOf(to))
	}
	if to := e.wholes[n.ID]; len(to) > 0 {
		notes = append(notes, "send to every task of "+stagesOf(to))
	}
	return notes
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

// stagesOf returns "stage 1" or "stages 1, 2".
func stagesOf(ids []int) string {
	if len(ids) == 1 {
		return "stage " + join(ids)
	}
	return "stages " + join(ids)
}

func join(ids []int) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = fmt.Sprint(id)
	}
	return strings.Join(words, ", ")
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
