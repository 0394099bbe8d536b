package engine

import (
	"iter"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/exec"
	"fletch/engine/plan"
)

// narrow adds an operator that works on each record by itself.
func narrow[T, U any](in Dataset[T], name string, given bool, link func(t *exec.Task, node int, out func(U) bool) exec.Stream) Dataset[U] {
	op := &exec.Operator{Node: plan.Node{Kind: plan.Narrow, Op: name, Inputs: []int{in.node}}}
	out := add[U](in.job, op)
	in.job.require(op.ID, given, "the function is nil")
	op.Link = func(t *exec.Task, to any) exec.Stream { return link(t, op.ID, to.(func(U) bool)) }
	return out
}

// Map returns f of each record.
func Map[T, U any](in Dataset[T], f func(T) U) Dataset[U] { return mapTo(in, "Map", f) }

func mapTo[T, U any](in Dataset[T], name string, f func(T) U) Dataset[U] {
	return narrow(in, name, f != nil, func(t *exec.Task, node int, out func(U) bool) exec.Stream {
		return exec.Stream{Consume: func(rec T) bool {
			t.Enter(node)
			return out(f(rec))
		}}
	})
}

// Filter returns the records for which keep is true.
func Filter[T any](in Dataset[T], keep func(T) bool) Dataset[T] {
	return narrow(in, "Filter", keep != nil, func(t *exec.Task, node int, out func(T) bool) exec.Stream {
		return exec.Stream{Consume: func(rec T) bool {
			t.Enter(node)
			return !keep(rec) || out(rec)
		}}
	})
}

// FlatMap returns the elements of f's sequence for each record. Sequences of the standard library fit, such as
// strings.FieldsSeq and slices.Values.
func FlatMap[T, U any](in Dataset[T], f func(T) iter.Seq[U]) Dataset[U] {
	return flatMap(in, "FlatMap", f)
}

func flatMap[T, U any](in Dataset[T], name string, f func(T) iter.Seq[U]) Dataset[U] {
	return narrow(in, name, f != nil, func(t *exec.Task, node int, out func(U) bool) exec.Stream {
		return exec.Stream{Consume: exec.FlatMap(t, node, f, out)}
	})
}

// KeyBy returns each record as the value of its key.
func KeyBy[K, T any](in Dataset[T], key func(T) K) Dataset[KV[K, T]] {
	if key == nil {
		return mapTo[T, KV[K, T]](in, "KeyBy", nil)
	}
	return mapTo(in, "KeyBy", func(rec T) KV[K, T] { return KV[K, T]{Key: key(rec), Value: rec} })
}

// Process calls f for each record, with the task that runs it: for everything that can fail, count or log. It returns
// what f emits. An error ends the job with the operator and the record in its message.
func Process[T, U any](in Dataset[T], f func(t *Task, rec T, emit func(U)) error) Dataset[U] {
	return narrow(in, "Process", f != nil, func(t *exec.Task, node int, out func(U) bool) exec.Stream {
		task := taskOf(t, in.job.ops[node])
		return exec.Stream{Consume: exec.Process(t, node, func(rec T, emit func(U)) error { return f(task, rec, emit) }, out)}
	})
}

// MapBatches calls f with Arrow batches of the records and returns the rows of the batches that f returns: the door to
// vectorised code. The batches have the schemas of the codecs of T and U. The one that f gets is valid during the call;
// the one it returns is released by the engine, so f retains the one it got to return it. A nil batch is an empty one.
func MapBatches[T, U any](in Dataset[T], f func(t *Task, rec arrow.Record) (arrow.Record, error)) Dataset[U] {
	var mapped Dataset[U]
	mapped = narrow(in, "MapBatches", f != nil, func(t *exec.Task, node int, out func(U) bool) exec.Stream {
		task := taskOf(t, in.job.ops[node])
		return exec.MapBatches(t, node, in.codec, mapped.codec, func(rec arrow.Record) (arrow.Record, error) { return f(task, rec) }, out)
	})
	in.job.ops[mapped.node].Order = plan.UsesOrder // a batch has several records
	return mapped
}

// Sample returns each record with the given chance, from 0 to 1. The same seed and input give the same sample, unless the
// input's order has no meaning, as behind a join: which records are chosen follows from where they stand.
func Sample[T any](in Dataset[T], fraction float64, seed uint64) Dataset[T] {
	out := narrow(in, "Sample", true, func(t *exec.Task, _ int, out func(T) bool) exec.Stream {
		return exec.Stream{Consume: exec.Sample(t, fraction, seed, out)}
	})
	in.job.ops[out.node].Order = plan.UsesOrder
	in.job.require(out.node, fraction >= 0 && fraction <= 1, "a chance of %v: want one from 0 to 1", fraction)
	return out
}

// Union returns the records of all its datasets.
func Union[T any](first Dataset[T], more ...Dataset[T]) Dataset[T] {
	op := &exec.Operator{Node: plan.Node{Kind: plan.Narrow, Op: "Union", Inputs: []int{first.node}}}
	for _, d := range more {
		op.Inputs = append(op.Inputs, d.node)
	}
	out := add[T](first.job, op)
	for i, d := range more {
		first.job.require(op.ID, d.job == first.job, "dataset %d belongs to another job", i+2)
	}
	op.Link = func(_ *exec.Task, to any) exec.Stream { return exec.Stream{Consume: to} }
	return out
}
