package state

import (
	"cmp"
	"reflect"
	"slices"

	"fletch/engine/plan"
)

// history are the jobs that have ended, for people: the latest of them, within bounds.
type history struct {
	jobs   []*Job // as they ended
	weight int64  // the sum of theirs
}

const (
	maxHistory      = 1000
	maxHistoryBytes = 64 << 20
	// maxKept is how many bytes of the graph, and of the splits, are kept of a job that has ended: what most of them
	// have, so that they can be explained. Beyond it only the outline stays.
	maxKept = 128 << 10
)

// add remembers a job that has ended and returns those that are forgotten for it: the oldest beyond the bounds.
func (h *history) add(j *Job) (forgotten []*Job) {
	h.jobs = append(h.jobs, j)
	h.weight += j.weight()
	n := 0
	for ; len(h.jobs)-n > maxHistory || h.weight > maxHistoryBytes && len(h.jobs)-n > 1; n++ {
		h.weight -= h.jobs[n].weight()
	}
	forgotten, h.jobs = h.jobs[:n:n], h.jobs[n:]
	return forgotten
}

// summary is what is kept of the tasks of a job that has ended.
type summary struct {
	counters map[string]int64
	outputs  []Output
}

// Output is what a sink has published, or is about to.
type Output struct {
	Sink        int // node
	Parts       int
	Rows, Bytes int64
}

// compact returns a job that has ended without its tasks, and without what is heavy of the rest.
func (j *Job) compact() *Job {
	after := *j
	after.summary = &summary{}
	if j.Status == Succeeded {
		after.summary.counters, after.summary.outputs = j.Counters(), j.Outputs()
	}
	if graphBytes(j.Graph) > maxKept {
		after.Graph = outline(j.Graph)
	}
	if splitsBytes(j.splits) > maxKept {
		after.splits = nil
	}
	after.Stages = make([]*Stage, len(j.Stages))
	for i, s := range j.Stages {
		stage := *s
		stage.tasks = tree{len: s.tasks.len}
		after.Stages[i] = &stage
	}
	after.exchanges = slices.Clone(j.exchanges)
	for i := range after.exchanges {
		if x := &after.exchanges[i]; len(x.bytes) > 0 {
			x.bytes = []int64{sum(x.bytes)}
		}
	}
	return &after
}

// MadeOf tells whether the job was submitted with a graph, as far as one that has ended still has its own.
func (j *Job) MadeOf(g *plan.Graph) bool {
	return reflect.DeepEqual(j.Graph, g) || j.summary != nil && reflect.DeepEqual(j.Graph, outline(g))
}

// outline returns a graph without the texts that only its author reads. Where sinks write stays, as what they staged is
// removed after the end.
func outline(g *plan.Graph) *plan.Graph {
	out := &plan.Graph{Job: g.Job, Nodes: slices.Clone(g.Nodes)}
	for i := range out.Nodes {
		n := &out.Nodes[i]
		n.Type, n.Site = "", ""
		if n.Source != nil {
			n.Source = &plan.Input{Items: n.Source.Items, ItemBytes: n.Source.ItemBytes}
		}
	}
	return out
}

// The estimates of memory: of a record without its texts, and of an entry in a map.
const (
	recordBytes = 256
	entryBytes  = 64
)

// weight estimates the bytes that a job takes once it has ended.
func (j *Job) weight() int64 {
	n := recordBytes + graphBytes(j.Graph) + splitsBytes(j.splits) + textBytes(j.Args) + int64(len(j.User)+len(j.Plugin))
	for _, s := range j.Stages {
		n += recordBytes + 8*int64(len(s.Nodes)+2*len(s.Outputs)+len(s.Parents)+len(s.Sides)+2*len(s.If))
	}
	for _, x := range j.exchanges {
		n += entryBytes + 8*int64(len(x.readers)+len(x.bytes))
	}
	for name := range j.summary.counters {
		n += entryBytes + int64(len(name))
	}
	n += entryBytes * int64(len(j.summary.outputs))
	if j.Failure != nil {
		n += recordBytes + int64(len(j.Failure.Message))
	}
	return n
}

func graphBytes(g *plan.Graph) int64 {
	n := int64(len(g.Job))
	for i := range g.Nodes {
		node := &g.Nodes[i]
		n += recordBytes + int64(len(node.Op)+len(node.Site)+len(node.Type)+8*len(node.Inputs)+8*len(node.Sides))
		if node.Source != nil {
			n += textBytes(node.Source.Patterns)
		}
		if node.Sink != nil {
			n += int64(len(node.Sink.Path) + len(node.Sink.Suffix))
		}
	}
	return n
}

func splitsBytes(splits map[int][]plan.Split) (n int64) {
	for _, list := range splits {
		n += entryBytes * int64(1+len(list))
		for i := range list {
			for k := range list[i].Files {
				n += entryBytes + int64(len(list[i].Files[k].Path))
			}
		}
	}
	return n
}

func textBytes(texts []string) int64 {
	n := 16 * int64(len(texts))
	for _, t := range texts {
		n += int64(len(t))
	}
	return n
}

func sum(list []int64) (total int64) {
	for _, n := range list {
		total += n
	}
	return total
}

// Outputs returns what each sink publishes, by node. Before every task is committed it lacks what is to come.
func (j *Job) Outputs() []Output {
	if j.summary != nil {
		return j.summary.outputs
	}
	var outputs []Output
	for sink, parts := range j.Parts() {
		o := Output{Sink: sink, Parts: len(parts)}
		for _, p := range parts {
			o.Rows += p.Rows
			o.Bytes += p.Bytes
		}
		outputs = append(outputs, o)
	}
	slices.SortFunc(outputs, func(a, b Output) int { return cmp.Compare(a.Sink, b.Sink) })
	return outputs
}
