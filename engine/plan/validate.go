package plan

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// The caps of a graph. They keep a hostile or runaway job from filling the memory of a master; no honest job comes near.
const (
	maxNodes      = 10_000
	maxInputs     = 100_000 // edges, over all nodes
	maxPatterns   = 100_000 // over all sources
	maxName       = 256     // bytes of a job's or an operator's name, and of a suffix
	maxPath       = 4_096   // bytes of a path, a pattern or a site
	maxType       = 65_536  // bytes of a schema's text
	maxPartitions = 65_536  // of one exchange
)

// String names a node as errors do: the operator and the place of its call.
func (n *Node) String() string {
	if n.Site == "" {
		return n.Op
	}
	return n.Op + " (" + n.Site + ")"
}

// Validate reports everything that is wrong with the graph, each problem with its operator and call site. The other
// functions of this package take only a valid graph.
func (g *Graph) Validate() error {
	if len(g.Nodes) > maxNodes {
		return fmt.Errorf("job %.*s has %d operators, more than %d", maxName, g.Job, len(g.Nodes), maxNodes)
	}
	p := &problems{}
	p.text("job", "name", g.Job, maxName)
	inputs, patterns, sinks := 0, 0, 0
	for i := range g.Nodes {
		n := &g.Nodes[i]
		inputs += len(n.Inputs)
		if n.Source != nil {
			patterns += len(n.Source.Patterns)
		}
		if n.Kind == Sink {
			sinks++
		}
		p.node(g, i)
	}
	p.check(inputs <= maxInputs, "the operators have %d inputs, more than %d", inputs, maxInputs)
	p.check(patterns <= maxPatterns, "the sources have %d patterns, more than %d", patterns, maxPatterns)
	p.check(sinks > 0, "job %s writes nothing: add a sink such as csvio.Write", g.Job)
	p.overlaps(g)
	return errors.Join(p.found...)
}

// problems gathers what is wrong.
type problems struct{ found []error }

func (p *problems) check(ok bool, format string, args ...any) {
	if !ok {
		p.found = append(p.found, fmt.Errorf(format, args...))
	}
}

// text checks a string that must not be empty nor longer than limit bytes.
func (p *problems) text(owner, what, s string, limit int) {
	p.check(s != "", "%s: the %s is empty", owner, what)
	p.check(len(s) <= limit, "%s: the %s has %d bytes, more than %d", owner, what, len(s), limit)
}

// node checks one node: what it is called, what it reads and that its description fits its kind.
func (p *problems) node(g *Graph, i int) {
	n := &g.Nodes[i]
	name := fmt.Sprintf("operator %d", i)
	if n.Op != "" && len(n.Op) <= maxName && len(n.Site) <= maxPath {
		name = n.String()
	}
	p.check(n.ID == i, "%s: its ID is %d at position %d", name, n.ID, i)
	p.text(name, "operator's name", n.Op, maxName)
	p.check(len(n.Site) <= maxPath, "%s: the call site has %d bytes, more than %d", name, len(n.Site), maxPath)
	p.check(len(n.Type) <= maxType, "%s: the type has %d bytes, more than %d", name, len(n.Type), maxType)
	for _, in := range n.Inputs {
		ordered := in >= 0 && in < i
		p.check(ordered, "%s: its input %d does not stand before it", name, in)
		p.check(!ordered || g.Nodes[in].Kind != Sink, "%s: its input %d is a sink, which has no output", name, in)
	}
	p.check(n.Kind <= Sink, "%s: unknown kind %d", name, n.Kind)
	p.check((n.Kind == Source) == (n.Source != nil), "%s: a source, and only a source, says what it reads", name)
	p.check((n.Kind == Exchange) == (n.Exchange != nil), "%s: an exchange, and only an exchange, says how it partitions", name)
	p.check((n.Kind == Sink) == (n.Sink != nil), "%s: a sink, and only a sink, says where it writes", name)
	switch n.Kind {
	case Source:
		p.check(len(n.Inputs) == 0, "%s: a source has no inputs, this one has %d", name, len(n.Inputs))
	case Sink:
		p.check(len(n.Inputs) == 1, "%s: a sink has one input, this one has %d", name, len(n.Inputs))
	default:
		p.check(len(n.Inputs) > 0, "%s: it has no input", name)
	}
	p.descriptions(name, n)
}

// descriptions checks what a source, an exchange or a sink says of itself.
func (p *problems) descriptions(name string, n *Node) {
	if s := n.Source; s != nil {
		p.check(s.Items >= 0 && s.ItemBytes >= 0, "%s: %d items of %d bytes: neither may be negative", name, s.Items, s.ItemBytes)
		p.check(len(s.Patterns) == 0 || s.Items == 0, "%s: it reads files and items at once", name)
		for _, pattern := range s.Patterns {
			p.text(name, "path to read", pattern, maxPath)
		}
	}
	if x := n.Exchange; x != nil {
		p.check(x.Partitioning <= ByNothing, "%s: unknown partitioning %d", name, x.Partitioning)
		p.check(x.Partitions >= 0 && x.Partitions <= maxPartitions, "%s: %d partitions: it takes 1 to %d, or 0 to follow the input's size",
			name, x.Partitions, maxPartitions)
		p.check(x.Partitioning != ByNothing || x.Partitions <= 1, "%s: %d partitions, but everything goes into one", name, x.Partitions)
	}
	if l := n.Sink; l != nil {
		p.text(name, "path to write", l.Path, maxPath)
		p.check(len(l.Suffix) <= maxName && !strings.ContainsAny(l.Suffix, "/\\"), "%s: %.*q is no suffix of a file's name", name, maxName, l.Suffix)
	}
}

// overlaps finds sinks that write to the same directory or one inside another's: the second rename would fail, or it
// would change an output that is already published.
func (p *problems) overlaps(g *Graph) {
	type output struct {
		dir  string // clean, with a slash at the end, so that a prefix is a parent
		node *Node
	}
	var outputs []output
	for i := range g.Nodes {
		if n := &g.Nodes[i]; n.Sink != nil && n.Sink.Path != "" {
			outputs = append(outputs, output{strings.TrimSuffix(path.Clean(n.Sink.Path), "/") + "/", n})
		}
	}
	slices.SortStableFunc(outputs, func(a, b output) int { return strings.Compare(a.dir, b.dir) })
	for i, outer := 1, 0; i < len(outputs); i++ {
		a, b := outputs[outer], outputs[i]
		switch {
		case a.dir == b.dir:
			p.check(false, "%s and %s both write to %s", a.node, b.node, b.node.Sink.Path)
		case strings.HasPrefix(b.dir, a.dir):
			p.check(false, "%s writes to %s, inside the output %s of %s", b.node, b.node.Sink.Path, a.node.Sink.Path, a.node)
		default:
			outer = i
		}
	}
}
