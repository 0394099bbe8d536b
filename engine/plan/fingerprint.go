package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Fingerprint identifies what a graph does: two builds of one job with the same arguments have the same. Paths and call
// sites do not count, as a client resolves relative paths and an executor may have been compiled elsewhere.
func (g *Graph) Fingerprint() string {
	bare := Graph{Job: g.Job, Nodes: make([]Node, len(g.Nodes))}
	for i := range g.Nodes {
		bare.Nodes[i] = g.Nodes[i].bare()
	}
	text, err := json.Marshal(bare)
	if err != nil {
		panic(err) // impossible: a graph is made of strings, integers and slices of these
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// bare returns the node without its paths; the number of paths stays.
func (n *Node) bare() Node {
	b := *n
	b.Site = ""
	if b.Source != nil {
		in := *b.Source
		in.Patterns = make([]string, len(in.Patterns))
		b.Source = &in
	}
	if b.Sink != nil {
		b.Sink = &Location{Suffix: b.Sink.Suffix}
	}
	return b
}

// Diff compares two builds of one job: want was submitted, have was built here. It returns nil where their fingerprints
// agree, otherwise an error that names the first operator that differs.
func Diff(want, have *Graph) error {
	const why = "a job must build the same graph from the same arguments"
	if want.Job != have.Job {
		return fmt.Errorf("the job is named %s, it was submitted as %s: %s", have.Job, want.Job, why)
	}
	for i := range min(len(want.Nodes), len(have.Nodes)) {
		w, h := &want.Nodes[i], &have.Nodes[i]
		if what := differs(w.bare(), h.bare()); what != "" {
			return fmt.Errorf("operator %d is %s, it was submitted as %s: %s: %s", i, h, w, what, why)
		}
	}
	switch w, h := len(want.Nodes), len(have.Nodes); {
	case w > h:
		return fmt.Errorf("operator %d is missing, it was submitted as %s: %s", h, &want.Nodes[h], why)
	case w < h:
		return fmt.Errorf("operator %d is %s, it was not submitted: %s", w, &have.Nodes[w], why)
	}
	return nil
}

// differs says in what two bare nodes differ, or nothing.
func differs(w, h Node) string {
	switch {
	case w.ID != h.ID || w.Kind != h.Kind || w.Op != h.Op:
		return "another operator"
	case !slices.Equal(w.Inputs, h.Inputs):
		return fmt.Sprintf("inputs %v instead of %v", h.Inputs, w.Inputs)
	case !slices.Equal(w.Sides, h.Sides):
		return fmt.Sprintf("sides %v instead of %v", h.Sides, w.Sides)
	case !slices.Equal(w.Lookup, h.Lookup):
		return fmt.Sprintf("inputs %v to look up instead of %v", h.Lookup, w.Lookup)
	case w.Order != h.Order:
		return fmt.Sprintf("order %d instead of %d", h.Order, w.Order)
	case w.Type != h.Type:
		return fmt.Sprintf("type %s instead of %s", h.Type, w.Type)
	case text(w.Source) != text(h.Source):
		return fmt.Sprintf("input %s instead of %s", text(h.Source), text(w.Source))
	case text(w.Exchange) != text(h.Exchange):
		return fmt.Sprintf("shuffle %s instead of %s", text(h.Exchange), text(w.Exchange))
	case text(w.Sink) != text(h.Sink):
		return fmt.Sprintf("output %s instead of %s", text(h.Sink), text(w.Sink))
	}
	return ""
}

// text renders a description for comparing and for showing.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // impossible, as above
	}
	return string(b)
}
