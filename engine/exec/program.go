package exec

import (
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/plan"
)

// Operator is a node of the graph with the closures of its types. A consumer of records of type T is a func(T) bool that
// returns false when it wants no more; here it is held as any, as nodes of several types stand side by side.
type Operator struct {
	plan.Node
	// Open opens a split of a source for reading.
	Open func(t *Task, split plan.Split) (Source, error)
	// Encode opens a part of a sink for writing; w takes its bytes.
	Encode func(t *Task, w io.Writer) (Writer, error)
	// Moved is the schema of what an exchange moves.
	Moved *arrow.Schema
	// Pull drives the records of src into the consumer out: set for a source and for an exchange's reading side.
	Pull func(t *Task, src Source, out any) error
	// Meet drives what comes of the records of one partition of two exchanges into the consumer out: set for a meet.
	Meet func(t *Task, left, right Source, out any) error
	// Beside returns the consumer of the records of one input of a meet, which joins them with all of the other one, a side of
	// the stage, and feeds out: set for a meet that has inputs to look up.
	Beside func(t *Task, input int, out any) Stream
	// Link returns the consumer of a narrow operator's input, which feeds out.
	Link func(t *Task, out any) Stream
	// Write returns the consumer of a sink's input, or of an exchange's writing side with that many partitions.
	Write func(t *Task, port Port, partitions int) Stream
	// Tee returns a consumer of the operator's output that feeds all of outs.
	Tee func(outs []any) any
}

// Stream is a consumer of records and what follows its last one.
type Stream struct {
	Consume any
	// Finish hands on what the consumer has kept back; nil where it keeps nothing.
	Finish func() error
}

// Program is a job's graph in the form that runs: Program[i] is node i.
type Program []*Operator

// Run drives a source, or the two of a meet, through a stage into its ports, by node, and returns once all of it has been
// written. A failure of user code is an OperatorError of class fault.User. Run does not close the sources.
func (p Program) Run(t *Task, stage *plan.Stage, ports map[int]Port, srcs ...Source) (err error) {
	ended := false
	t.aborted = nil
	t.program, t.root, t.op, t.source, t.row = p, stage.Root, stage.Root, srcs[0], -1
	defer func() {
		if e := t.recovered(recover(), ended); e != nil {
			err, t.failure = e, e
		}
		for _, f := range t.atEnd {
			f()
		}
		t.atEnd, t.source = nil, nil
	}()
	l := linker{program: p, task: t, stage: stage, ports: ports, built: map[int]any{}}
	out := l.consumersOf(stage.Root)
	if root := p[stage.Root]; root.Kind == plan.Meet {
		err = root.Meet(t, &input{Source: srcs[0], task: t}, &input{Source: srcs[1], task: t}, out)
	} else {
		err = root.Pull(t, &input{Source: srcs[0], task: t}, out)
	}
	t.row = -1
	// A stream was built after those that it feeds: the last one built is the first to end.
	for i := len(l.finish) - 1; i >= 0 && err == nil; i-- {
		err = l.finish[i]()
	}
	ended = true
	return err
}

// Guard calls f, which runs code of a node outside of Run: its error has the operator's name, and its panics become errors
// as those of Run do.
func (p Program) Guard(t *Task, node int, f func() error) (err error) {
	t.program, t.op, t.source, t.aborted = p, node, nil, nil
	ended := false
	defer func() {
		if e := t.recovered(recover(), ended); e != nil {
			err, t.failure = e, e
		}
	}()
	err = t.named(f())
	ended = true
	return err
}

// linker builds the consumers of one run, each once.
type linker struct {
	program Program
	task    *Task
	stage   *plan.Stage
	ports   map[int]Port
	built   map[int]any
	finish  []func() error
}

// consumersOf returns the consumer of a node's output: of all its users in the stage.
func (l *linker) consumersOf(node int) any {
	var outs []any
	for _, id := range l.stage.Nodes {
		for _, in := range l.program[id].Inputs {
			if in == node && id != l.stage.Root { // the union of a dataset with itself takes each record twice
				outs = append(outs, l.consumer(id))
			}
		}
	}
	if len(outs) == 1 {
		return outs[0]
	}
	return l.program[node].Tee(outs)
}

// consumer returns the consumer of a node's input.
func (l *linker) consumer(id int) any {
	if c, ok := l.built[id]; ok {
		return c
	}
	op := l.program[id]
	var s Stream
	switch op.Kind {
	case plan.Narrow:
		s = op.Link(l.task, l.consumersOf(id))
	case plan.Exchange:
		if slices.Contains(l.stage.Outputs, id) {
			s = op.Write(l.task, l.ports[id], l.task.Partitions(id))
		} else {
			s = l.beside(id)
		}
	case plan.Sink:
		s = op.Write(l.task, l.ports[id], 0)
	default:
		panic(fmt.Sprintf("exec: %v stands behind another node", op))
	}
	l.built[id] = s.Consume
	if s.Finish != nil {
		l.finish = append(l.finish, s.Finish)
	}
	return s.Consume
}

// beside returns the consumer of an exchange that is not written, as what it would meet is looked up.
func (l *linker) beside(exchange int) Stream {
	for _, id := range l.stage.Nodes {
		op := l.program[id]
		if input := slices.Index(op.Inputs, exchange); input >= 0 && op.Kind == plan.Meet {
			return op.Beside(l.task, input, l.consumersOf(id))
		}
	}
	panic(fmt.Sprintf("exec: %v is neither written nor met", l.program[exchange]))
}
