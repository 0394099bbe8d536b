package engine

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
	"fletch/engine/exec"
	"fletch/engine/plan"
	"fletch/fault"
)

// Job is a graph of datasets. It is built by one goroutine and not changed afterwards.
type Job struct {
	name string
	ops  exec.Program
	errs []error

	untyped map[int]bool // the nodes whose type is wrong
}

// NewJob returns a job without datasets.
func NewJob(name string) *Job {
	j := &Job{name: name}
	if name == "" {
		j.errs = append(j.errs, fmt.Errorf("NewJob (%s): a job needs a name", caller()))
	}
	return j
}

// Name returns the job's name.
func (j *Job) Name() string { return j.name }

// Err returns every mistake in the graph, each with the file and line of its operator; nil where there is none.
func (j *Job) Err() error {
	if len(j.errs) > 0 {
		return fault.As(fault.Permanent, errors.Join(j.errs...))
	}
	return fault.As(fault.Permanent, j.graph().Validate())
}

// Graph describes the job without its code.
func (j *Job) Graph() (*plan.Graph, error) {
	if err := j.Err(); err != nil {
		return nil, err
	}
	return j.graph(), nil
}

func (j *Job) graph() *plan.Graph {
	g := &plan.Graph{Job: j.name, Nodes: make([]plan.Node, len(j.ops))}
	for i, op := range j.ops {
		g.Nodes[i] = op.Node
	}
	return g
}

// Program returns the job's code, by node of its graph. It can run many tasks at once.
func (j *Job) Program() exec.Program { return j.ops }

// Dataset is a collection of records of type T, computed when the job runs, and once however many operators read it.
type Dataset[T any] struct {
	job   *Job
	node  int
	codec *batch.Codec[T] // nil where T is not supported; the job then has an error
}

// Job returns the job that the dataset belongs to.
func (d Dataset[T]) Job() *Job { return d.job }

// add appends an operator whose records are of type T; it fills in what every node has. Of wrong, the first error is a
// mistake of the operator; the one that its type may give comes last, as it often follows from another.
func add[T any](j *Job, op *exec.Operator, wrong ...error) Dataset[T] {
	if j == nil {
		panic(fmt.Sprintf("engine: %s (%s) is given a dataset or a job that is the zero value", op.Op, caller()))
	}
	op.ID, op.Site = len(j.ops), caller()
	op.Tee = exec.Tee[T]
	codec, err := batch.CodecOf[T]()
	if err == nil {
		op.Type = describe(codec.Schema())
	}
	if err = cmp.Or(append(wrong, err)...); err != nil {
		j.mistype(op, err)
	}
	j.ops = append(j.ops, op)
	return Dataset[T]{job: j, node: op.ID, codec: codec}
}

// mistake notes what is wrong with an operator.
func (j *Job) mistake(op *exec.Operator, err error) {
	j.errs = append(j.errs, fmt.Errorf("%s (%s): %w", op.Op, op.Site, err))
}

// mistype notes that the type of an operator is wrong. Where it reads one whose type is wrong, it is so for the same
// reason, which is told once.
func (j *Job) mistype(op *exec.Operator, err error) {
	if !slices.ContainsFunc(op.Inputs, func(id int) bool { return j.untyped[id] }) {
		j.mistake(op, err)
	}
	if j.untyped == nil {
		j.untyped = map[int]bool{}
	}
	j.untyped[op.ID] = true
}

// require notes a mistake unless ok.
func (j *Job) require(node int, ok bool, format string, args ...any) {
	if !ok {
		j.mistake(j.ops[node], fmt.Errorf(format, args...))
	}
}

var errNilFunction = errors.New("the function is nil")

// schemaOf returns the schema of a codec; nil where the type is not supported.
func schemaOf[T any](c *batch.Codec[T]) *arrow.Schema {
	if c == nil {
		return nil
	}
	return c.Schema()
}

// describe writes a schema on one line.
func describe(s *arrow.Schema) string {
	var b strings.Builder
	for i, f := range s.Fields() {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s: %v", f.Name, f.Type)
	}
	return b.String()
}

// caller returns the file and line of the nearest caller that is not part of the engine or of its formats.
func caller() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "fletch/engine.") && !strings.HasPrefix(f.Function, "fletch/format/") && !strings.HasPrefix(f.Function, "fletch/local.") {
			return filepath.Join(filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File)) + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return "unknown"
		}
	}
}
