package state

import (
	"cmp"
	"slices"

	"fletch/engine/plan"
)

// Jobs that have ended are kept without their tasks, for people: the latest of them, within these bounds.
const (
	maxHistory      = 1000
	maxHistoryBytes = 64 << 20 // as weight estimates them
)

// summary is what is kept of the tasks of a job that has ended.
type summary struct {
	counters   map[string]int64
	outputs    []Output
	inputBytes map[int]int64 // by node of a source
}

// Output is what a sink has published, or is about to.
type Output struct {
	Sink        int // node
	Parts       int
	Rows, Bytes int64
}

// compact returns a job that has ended without its tasks and splits.
func (j *Job) compact() *Job {
	after := *j
	after.summary = &summary{inputBytes: make(map[int]int64)}
	if j.Status == Succeeded {
		after.summary.counters, after.summary.outputs = j.Counters(), j.Outputs()
	}
	for root := range j.splits {
		after.summary.inputBytes[root] = j.InputBytes(root)
	}
	after.splits = nil
	after.Stages = make([]*Stage, len(j.Stages))
	for i, s := range j.Stages {
		stage := *s
		stage.tasks, stage.bytes = tree{len: s.tasks.len}, nil
		after.Stages[i] = &stage
	}
	return &after
}

// remember counts a job that has ended and forgets the oldest beyond the bounds.
func (m *Machine) remember(j *Job) {
	m.bytes += j.weight()
	ended := len(m.order) - len(m.active)
	for i := 0; i < len(m.order) && (ended > maxHistory || m.bytes > maxHistoryBytes && ended > 1); {
		oldest := m.jobs[m.order[i]]
		if !oldest.Status.Ended() || oldest == j {
			i++
			continue
		}
		m.bytes -= oldest.weight()
		ended--
		delete(m.jobs, oldest.ID)
		m.order = slices.Delete(m.order, i, i+1)
	}
}

// weight estimates the bytes that a job takes once it has ended.
func (j *Job) weight() int64 {
	const record = 512 // of a job, a node or a stage, without its texts
	n := int64(record * (1 + len(j.Graph.Nodes) + len(j.Stages)))
	for _, node := range j.Graph.Nodes {
		n += int64(len(node.Op) + len(node.Site) + len(node.Type))
		if node.Source != nil {
			for _, p := range node.Source.Patterns {
				n += int64(len(p))
			}
		}
		if node.Sink != nil {
			n += int64(len(node.Sink.Path))
		}
	}
	for _, arg := range j.Args {
		n += int64(len(arg))
	}
	for name := range j.Counters() {
		n += int64(len(name)) + 64
	}
	if j.Failure != nil {
		n += int64(len(j.Failure.Message))
	}
	return n
}

// Outputs returns what each sink publishes, by node. Until every task is committed it is not complete.
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

// InputBytes returns the size of the files' ranges that a source reads.
func (j *Job) InputBytes(source int) (n int64) {
	if j.summary != nil {
		return j.summary.inputBytes[source]
	}
	for _, s := range j.splits[source] {
		n += splitBytes(s)
	}
	return n
}

func splitBytes(s plan.Split) (n int64) {
	for _, f := range s.Files {
		n += f.Length
	}
	return n
}
