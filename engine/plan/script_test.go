package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parseGraph reads the language of the golden scripts. A line is a pipeline; the line's number is the call site:
//
//	words = read logs/* | FlatMap      name a dataset
//	words | shuffle hash combine 4 | write out/counts
//	union words more | Map | write b   several inputs
//	items 1000 8 | ...                 1000 items of 8 bytes
//	meet a b | Map | write c           two shuffles that meet
//	lookup a b | Map | write c         two shuffles that meet, unless one of them is small
//	cogroup a b | write c              two shuffles whose groups meet
//	words | Map with a b | ...         sides, which are shuffles
//
// A shuffle takes hash, row, range or one, combine, ordered, thin and a number of partitions; any other first word of a
// step is a narrow operator of that name. What they do about order is what the engine's operators do that are like them;
// rounds and folds are combiners of floats and of what is not the same in another order. What stands after " : " is the step's type; otherwise it is that of the first input.
func parseGraph(text string) (*Graph, error) {
	p := &parser{graph: &Graph{Job: "test"}, names: make(map[string]int)}
	for i, l := range strings.Split(text, "\n") {
		if err := p.line(i+1, l); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return p.graph, nil
}

type parser struct {
	graph *Graph
	names map[string]int
}

func (p *parser) line(number int, l string) error {
	name, pipeline, named := strings.Cut(l, " = ")
	if !named {
		pipeline = l
	}
	var inputs []int
	for i, step := range strings.Split(pipeline, "|") {
		n := Node{ID: len(p.graph.Nodes), Site: fmt.Sprintf("jobs/job.go:%d", number), Inputs: inputs}
		step, typ, typed := strings.Cut(strings.TrimSpace(step), " : ")
		step, sides, _ := strings.Cut(step, " with ")
		for name := range strings.FieldsSeq(sides) {
			n.Sides = append(n.Sides, p.names[name])
		}
		words := strings.Fields(step)
		if len(words) == 0 {
			return fmt.Errorf("an empty step")
		}
		if i == 0 {
			if id, known := p.names[words[0]]; known {
				inputs = []int{id}
				continue
			}
			if slices.Contains([]string{"union", "meet", "lookup", "cogroup"}, words[0]) {
				for _, w := range words[1:] {
					n.Inputs = append(n.Inputs, p.names[w])
				}
				words = words[:1]
			}
		}
		if len(n.Inputs) > 0 {
			n.Type = p.graph.Nodes[n.Inputs[0]].Type
		}
		if typed {
			n.Type = typ
		}
		if err := describe(&n, words); err != nil {
			return err
		}
		p.graph.Nodes = append(p.graph.Nodes, n)
		inputs = []int{n.ID}
	}
	if named {
		p.names[name] = inputs[0]
	}
	return nil
}

// describe fills in what the words of a step say.
func describe(n *Node, words []string) (err error) {
	switch words[0] {
	case "read":
		n.Kind, n.Op, n.Type = Source, "textio.Read", "string"
		n.Source = &Input{Patterns: words[1:]}
	case "items":
		n.Kind, n.Op, n.Type = Source, "Range", "int64"
		n.Source = &Input{}
		if n.Source.Items, err = strconv.ParseInt(words[1], 10, 64); err == nil {
			n.Source.ItemBytes, err = strconv.ParseInt(words[2], 10, 64)
		}
	case "write":
		n.Kind, n.Op, n.Type = Sink, "csvio.Write", ""
		n.Sink = &Location{Path: words[1], Suffix: ".csv"}
	case "shuffle":
		n.Kind, n.Op, n.Order, n.Exchange = Exchange, "Reduce", UsesOrder, &Shuffle{}
		for _, w := range words[1:] {
			switch w {
			case "hash":
			case "row":
				n.Op, n.Exchange.Partitioning = "Repartition", ByRow
			case "one":
				n.Op, n.Exchange.Partitioning = "TopN", ByNothing
			case "range":
				n.Op, n.Order, n.Exchange.Partitioning = "SortBy", KeepsOrder, ByRange
			case "thin":
				n.Exchange.Thin = true
			case "combine":
				n.Order, n.Exchange.Combine = MakesOrder, true
			case "folds":
				n.Order, n.Exchange.Combine = UsesOrder, true
			case "rounds":
				n.Order, n.Exchange.Combine = Rounds, true
			case "keep":
				n.Order = KeepsOrder
			case "ordered":
				n.Exchange.Ordered = true
			default:
				n.Exchange.Partitions, err = strconv.Atoi(w)
			}
		}
	case "meet":
		n.Kind, n.Op, n.Order = Meet, "Join", LosesOrder
	case "lookup":
		n.Kind, n.Op, n.Order, n.Lookup = Meet, "Join", LosesOrder, []int{0, 1}
	case "cogroup":
		n.Kind, n.Op, n.Order = Meet, "CoGroup", UsesOrder
	case "Sample":
		n.Kind, n.Op, n.Order = Narrow, "Sample", UsesOrder
	default:
		n.Kind, n.Op = Narrow, words[0]
	}
	return err
}
