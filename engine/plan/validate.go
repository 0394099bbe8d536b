package plan

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// MaxPartitions caps the partitions of one exchange.
const MaxPartitions = 65_536

// The caps of a graph. They keep a hostile or runaway job from filling the memory of a master; no honest job comes near.
const (
	maxNodes    = 10_000
	maxInputs   = 100_000 // edges, over all nodes
	maxSides    = 1_000   // over all nodes
	maxPatterns = 100_000 // over all sources
	maxName     = 256     // bytes of a job's or an operator's name, and of a suffix
	maxPath     = 4_096   // bytes of a path, a pattern or a site
	maxType     = 65_536  // bytes of a schema's text
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
	inputs, sides, patterns, sinks := 0, 0, 0, 0
	for i := range g.Nodes {
		n := &g.Nodes[i]
		inputs += len(n.Inputs)
		sides += len(n.Sides)
		if n.Source != nil {
			patterns += len(n.Source.Patterns)
		}
		if n.Kind == Sink {
			sinks++
		}
		p.node(g, i)
	}
	p.check(inputs <= maxInputs, "the operators have %d inputs, more than %d", inputs, maxInputs)
	p.check(sides <= maxSides, "the operators read %d datasets as a whole, more than %d", sides, maxSides)
	p.check(patterns <= maxPatterns, "the sources have %d patterns, more than %d", patterns, maxPatterns)
	p.check(sinks > 0, "job %s writes nothing: add a sink such as csvio.Write", g.Job)
	p.meets(g)
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
	for k, side := range n.Sides {
		ordered := side >= 0 && side < i && (k == 0 || side > n.Sides[k-1])
		p.check(ordered, "%s: its side %d does not stand before it, in increasing order", name, side)
		p.check(!ordered || g.Nodes[side].Kind == Exchange, "%s: its side %d is no exchange", name, side)
	}
	p.check(len(n.Sides) == 0 || n.Kind != Source && n.Kind != Meet, "%s: it takes no records one by one, so it can't have sides", name)
	for k, in := range n.Lookup {
		p.check(n.Kind == Meet && (in == 0 || in == 1) && (k == 0 || in > n.Lookup[k-1]), "%s: its input %d can't be looked up", name, in)
	}
	p.check(n.Kind <= Meet, "%s: unknown kind %d", name, n.Kind)
	p.check(n.Order <= Rounds, "%s: unknown order %d", name, n.Order)
	p.check((n.Kind == Source) == (n.Source != nil), "%s: a source, and only a source, says what it reads", name)
	p.check((n.Kind == Exchange) == (n.Exchange != nil), "%s: an exchange, and only an exchange, says how it partitions", name)
	p.check((n.Kind == Sink) == (n.Sink != nil), "%s: a sink, and only a sink, says where it writes", name)
	switch n.Kind {
	case Source:
		p.check(len(n.Inputs) == 0, "%s: a source has no inputs, this one has %d", name, len(n.Inputs))
	case Sink:
		p.check(len(n.Inputs) == 1, "%s: a sink has one input, this one has %d", name, len(n.Inputs))
	case Meet:
		p.check(len(n.Inputs) == 2, "%s: two inputs meet, this one has %d", name, len(n.Inputs))
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
		p.check(x.Partitioning <= ByRange, "%s: unknown partitioning %d", name, x.Partitioning)
		p.check(x.Partitions >= 0 && x.Partitions <= MaxPartitions, "%s: %d partitions: it takes 1 to %d, or 0 to follow the input's size",
			name, x.Partitions, MaxPartitions)
		p.check(x.Partitioning != ByNothing || x.Partitions <= 1, "%s: %d partitions, but everything goes into one", name, x.Partitions)
	}
	if l := n.Sink; l != nil {
		p.text(name, "path to write", l.Path, maxPath)
		p.check(len(l.Suffix) <= maxName && !strings.ContainsAny(l.Suffix, "/\\"), "%s: %.*q is no suffix of a file's name", name, maxName, l.Suffix)
	}
}

// meets checks that what meets is partitioned alike and read by nobody else.
func (p *problems) meets(g *Graph) {
	users := make([]int, len(g.Nodes))
	for i := range g.Nodes {
		for _, id := range slices.Concat(g.Nodes[i].Inputs, g.Nodes[i].Sides) {
			if id >= 0 && id < len(users) {
				users[id]++
			}
		}
	}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Kind != Meet || len(n.Inputs) != 2 || min(n.Inputs[0], n.Inputs[1]) < 0 || max(n.Inputs[0], n.Inputs[1]) >= i {
			continue
		}
		a, b := &g.Nodes[n.Inputs[0]], &g.Nodes[n.Inputs[1]]
		if a.Exchange == nil || b.Exchange == nil {
			p.check(false, "%s: %s and %s meet, and one of them is no exchange", n, a, b)
			continue
		}
		p.check(a.Exchange.Partitioning == ByHash && b.Exchange.Partitioning == ByHash && a.Exchange.Partitions == b.Exchange.Partitions,
			"%s: %s and %s meet, and are not partitioned alike by hash", n, a, b)
		p.check(users[n.Inputs[0]] == 1 && users[n.Inputs[1]] == 1, "%s: %s and %s meet, and are read by others too", n, a, b)
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
