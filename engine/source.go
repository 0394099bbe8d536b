package engine

import (
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
	"fletch/engine/exec"
	"fletch/engine/plan"
)

// Reader yields the batches of one split of a source; see exec.Source for who owns what.
type Reader = exec.Source

// Source says how records of type T come in: it is what a format, or a user with a source of their own, gives to From.
type Source[T any] struct {
	// Op is the name that plans and messages use, such as "textio.Read".
	Op string
	// Input is what is read: files, which the engine lists and cuts into splits, or a number of items.
	Input plan.Input
	// Open opens one split. The batches have the schema of T's codec: see batch.CodecOf.
	Open func(t *Task, split plan.Split) (Reader, error)
	// Err is a mistake that the format has found in T or in its options; Job.Err reports it with the operator's line. A
	// type without a codec is found by From.
	Err error
}

// From returns the dataset of a source's records.
func From[T any](job *Job, src Source[T]) Dataset[T] {
	input := src.Input
	op := &exec.Operator{Node: plan.Node{Kind: plan.Source, Op: src.Op, Source: &input}}
	out := add[T](job, op)
	if src.Err != nil {
		job.mistake(op, src.Err)
	}
	job.require(op.ID, src.Open != nil, "the source has no Open function")
	op.Open = func(t *exec.Task, split plan.Split) (exec.Source, error) {
		r, err := src.Open(taskOf(t, op), split)
		if err == nil && r == nil {
			err = errors.New("its Open returned neither a reader nor an error")
		}
		return r, err
	}
	op.Pull = func(t *exec.Task, s exec.Source, to any) error {
		return exec.Pull(t, s, out.codec, to.(func(T) bool))
	}
	return out
}

// FromSlice returns the dataset of the given records, in their order. On a cluster every executor makes the slice anew,
// as it calls the job's function: it has to be the same each time.
func FromSlice[T any](job *Job, records []T) Dataset[T] {
	size := int64(unsafe.Sizeof(*new(T)))
	return made(job, "FromSlice", int64(len(records)), max(size, 1), func(dst []T, first int64) { copy(dst, records[first:]) })
}

// Range returns the dataset of the integers from up to but without to.
func Range(job *Job, from, to int64) Dataset[int64] {
	out := made(job, "Range", max(to-from, 0), 8, func(dst []int64, first int64) {
		for i := range dst {
			dst[i] = from + first + int64(i)
		}
	})
	job.require(out.node, to >= from && to-from >= 0, "the range from %d to %d is not one", from, to)
	return out
}

// made returns the dataset of n records of about size bytes, which fill makes by their numbers.
func made[T any](job *Job, op string, n, size int64, fill func(dst []T, first int64)) Dataset[T] {
	var out Dataset[T]
	out = From(job, Source[T]{Op: op, Input: plan.Input{Items: n, ItemBytes: size}, Open: func(t *Task, split plan.Split) (Reader, error) {
		return &items[T]{builder: out.codec.NewBuilder(t.Allocator()), next: split.First, end: split.First + split.Count, fill: fill}, nil
	}})
	return out
}

// Items become a batch a vector at a time, until there are batchItems of them or they have batchBytes.
const (
	vectorItems = 256
	batchItems  = 4096
	batchBytes  = 256 << 10
)

// items is a Reader of records that are made, by number.
type items[T any] struct {
	builder   *batch.Builder[T]
	fill      func(dst []T, from int64)
	next, end int64
	first     int64 // of the batch that Next returned last
	rows      []T
}

func (r *items[T]) Next() (arrow.Record, error) {
	if r.next == r.end {
		return nil, io.EOF
	}
	if r.rows == nil {
		r.rows = make([]T, vectorItems)
	}
	r.first = r.next
	for r.next < r.end && r.builder.Len() < batchItems && r.builder.Bytes() < batchBytes {
		rows := r.rows[:min(vectorItems, r.end-r.next)]
		r.fill(rows, r.next)
		if err := r.builder.Append(rows); err != nil {
			return nil, err
		}
		r.next += int64(len(rows))
	}
	return r.builder.Record(), nil
}

func (r *items[T]) Position(row int) string { return fmt.Sprintf("item %d", r.first+int64(row)) }

func (r *items[T]) Close() error {
	r.builder.Release()
	return nil
}
