package api

import "fletch/engine/plan"

// GraphOf returns the message of a graph.
func GraphOf(g *plan.Graph) *Graph {
	m := &Graph{Job: g.Job, Nodes: make([]*Node, len(g.Nodes))}
	for i := range g.Nodes {
		m.Nodes[i] = nodeOf(&g.Nodes[i])
	}
	return m
}

// Plan returns the graph of a message. It still needs plan.Graph.Validate.
func (m *Graph) Plan() (*plan.Graph, error) {
	c := &checker{message: "Graph"}
	if !c.present(m != nil) || !c.count("operators", len(m.GetNodes()), maxNodes) {
		return nil, c.err
	}
	g := &plan.Graph{Job: m.GetJob()}
	for _, n := range m.GetNodes() {
		g.Nodes = append(g.Nodes, c.node(n))
	}
	if c.err != nil {
		return nil, c.err
	}
	return g, nil
}

func nodeOf(n *plan.Node) *Node {
	m := &Node{
		Id: narrow(n.ID), Kind: uint32(n.Kind), Op: n.Op, Site: n.Site, Inputs: narrowAll(n.Inputs),
		Sides: narrowAll(n.Sides), Lookup: narrowAll(n.Lookup), Order: uint32(n.Order),
		Type: n.Type,
	}
	if s := n.Source; s != nil {
		m.Source = &Input{Items: s.Items, ItemBytes: s.ItemBytes}
		for _, pattern := range s.Patterns {
			m.Source.Patterns = append(m.Source.Patterns, []byte(pattern))
		}
	}
	if x := n.Exchange; x != nil {
		m.Exchange = &Shuffle{
			Partitioning: uint32(x.Partitioning), Partitions: narrow(x.Partitions), Combine: x.Combine, Ordered: x.Ordered,
			Thin: x.Thin,
		}
	}
	if l := n.Sink; l != nil {
		m.Sink = LocationOf(*l)
	}
	return m
}

func (c *checker) node(m *Node) plan.Node {
	if m.GetKind() > uint32(plan.Meet) {
		c.fail("operator %d is of the unknown kind %d", m.GetId(), m.GetKind())
	}
	if m.GetOrder() > uint32(plan.Rounds) {
		c.fail("operator %d has the unknown order %d", m.GetId(), m.GetOrder())
	}
	n := plan.Node{
		ID:     c.index("an operator's id", m.GetId(), maxNodes),
		Kind:   plan.Kind(m.GetKind()),
		Op:     m.GetOp(),
		Site:   m.GetSite(),
		Inputs: c.nodes("inputs", m.GetInputs()),
		Sides:  c.nodes("sides", m.GetSides()),
		Lookup: c.nodes("inputs to look up", m.GetLookup()),
		Order:  plan.Order(m.GetOrder()),
		Type:   m.GetType(),
	}
	if s := m.GetSource(); s != nil {
		n.Source = &plan.Input{Items: c.size("a source's items", s.GetItems()), ItemBytes: c.size("an item's size", s.GetItemBytes())}
		for _, pattern := range s.GetPatterns() {
			n.Source.Patterns = append(n.Source.Patterns, string(pattern))
		}
	}
	if x := m.GetExchange(); x != nil {
		if x.GetPartitioning() > uint32(plan.ByRange) {
			c.fail("operator %d partitions in the unknown way %d", m.GetId(), x.GetPartitioning())
		}
		n.Exchange = &plan.Shuffle{
			Partitioning: plan.Partitioning(x.GetPartitioning()),
			Partitions:   c.index("an exchange's partitions", x.GetPartitions(), maxPartitions+1),
			Combine:      x.GetCombine(),
			Ordered:      x.GetOrdered(),
			Thin:         x.GetThin(),
		}
	}
	if l := m.GetSink(); l != nil {
		location := l.Plan()
		n.Sink = &location
	}
	return n
}

// LocationOf returns the message of a location.
func LocationOf(l plan.Location) *Location {
	return &Location{Path: []byte(l.Path), Suffix: l.Suffix}
}

// Plan returns the location of a message.
func (m *Location) Plan() plan.Location {
	return plan.Location{Path: string(m.GetPath()), Suffix: m.GetSuffix()}
}
