package engine

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"fletch/engine/exec"
	"fletch/engine/plan"
)

// Writer encodes the batches of one part of a sink; see exec.Writer.
type Writer = exec.Writer

// Sink says how records of type T go out: it is what a format, or a user with a format of their own, gives to To.
type Sink[T any] struct {
	// Op is the name that plans and messages use, such as "csvio.Write".
	Op string
	// Location is the directory that appears once the job has succeeded, and the suffix of the parts in it.
	Location plan.Location
	// Open begins a part whose bytes go to w. The batches have the schema of T's codec.
	Open func(t *Task, w io.Writer) (Writer, error)
	// Err is a mistake that the format has found in T or in its options; Job.Err reports it with the operator's line. A
	// type without a codec is found by To.
	Err error
}

// To writes a dataset to a sink. A job can have several sinks. They are published one after another once all of the job's
// work is done, each as a whole; if one cannot be, because something stands under its name by then, the job fails and
// those that were published before it stay.
func To[T any](in Dataset[T], sink Sink[T]) {
	location := sink.Location
	op := &exec.Operator{Node: plan.Node{Kind: plan.Sink, Op: sink.Op, Inputs: []int{in.node}, Sink: &location}}
	out := add[T](in.job, op)
	if sink.Err != nil {
		in.job.mistake(op, sink.Err)
	}
	in.job.require(op.ID, sink.Open != nil, "the sink has no Open function")
	in.job.require(op.ID, location.Path != "", "no output directory is given")
	op.Encode = func(t *exec.Task, w io.Writer) (exec.Writer, error) {
		encoder, err := sink.Open(taskOf(t, op), w)
		if err == nil && encoder == nil {
			err = errors.New("its Open returned neither a writer nor an error")
		}
		return encoder, err
	}
	op.Write = func(t *exec.Task, port exec.Port, _ int) exec.Stream { return exec.Sink(t, op.ID, port, out.codec) }
}

// Only returns a job that computes in and writes it to sink, and none of the other sinks of in's job, which stays as it
// is.
func Only[T any](in Dataset[T], sink Sink[T]) *Job {
	if in.job == nil {
		panic(fmt.Sprintf("engine: %s (%s) is given a dataset that is the zero value", sink.Op, caller()))
	}
	job := &Job{name: in.job.name, errs: slices.Clone(in.job.errs), untyped: maps.Clone(in.job.untyped)}
	for _, op := range in.job.ops {
		if op.Kind == plan.Sink { // it becomes a dataset that nobody reads, which is not computed
			unread := *op
			unread.Kind, unread.Sink = plan.Narrow, nil
			op = &unread
		}
		job.ops = append(job.ops, op)
	}
	in.job = job
	To(in, sink)
	return job
}
