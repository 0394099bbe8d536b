package engine

import (
	"errors"

	"fletch/engine/batch"
	"fletch/engine/exec"
	"fletch/engine/plan"
)

// Order is one column of an order of records: see Asc and Desc.
type Order[T any] struct {
	column func() exec.OrderKey[T] // a new one, for one task
	err    error                   // why there is none
}

// Asc orders records by key, the smallest first.
func Asc[T, K any](key func(T) K) Order[T] { return orderBy(key, 0) }

// Desc orders records by key, the greatest first.
func Desc[T, K any](key func(T) K) Order[T] { return orderBy(key, 0xff) }

// orderBy encodes keys so that their bytes compare as they do, each byte changed by flip.
func orderBy[T, K any](key func(T) K, flip byte) Order[T] {
	if key == nil {
		return Order[T]{err: errNilFunction}
	}
	k, err := batch.KeyerOf[K]()
	return Order[T]{err: err, column: func() exec.OrderKey[T] {
		var v K // one for all records, as its address is taken
		return func(dst []byte, rec *T) []byte {
			v = key(*rec)
			start := len(dst)
			dst = k.AppendPart(dst, &v)
			for i := start; i < len(dst); i++ {
				dst[i] ^= flip
			}
			return dst
		}
	}}
}

// checkOrder returns what is wrong with an order.
func checkOrder[T any](orders []Order[T]) error {
	if len(orders) == 0 {
		return errors.New("no order is given; use Asc or Desc")
	}
	for _, o := range orders {
		if o.err != nil {
			return o.err
		}
		if o.column == nil {
			return errors.New("an order is the zero value; use Asc or Desc")
		}
	}
	return nil
}

// orderKey joins the columns of an order, for one task.
func orderKey[T any](t *exec.Task, node int, orders []Order[T]) exec.OrderKey[T] {
	columns := make([]exec.OrderKey[T], len(orders))
	for i, o := range orders {
		columns[i] = o.column()
	}
	return func(dst []byte, rec *T) []byte {
		t.Enter(node)
		for _, c := range columns {
			dst = c(dst, rec)
		}
		return dst
	}
}

// TopN returns the first n records in the given order, in that order: TopN(counts, 10, Desc(count), Asc(word)). Of equal
// records the ones that stand earlier in the input come first.
func TopN[T any](in Dataset[T], n int, orders ...Order[T]) Dataset[T] {
	x := plan.Shuffle{Partitioning: plan.ByNothing, Partitions: 1, Combine: true, Ordered: true}
	op := exchange[T](in.job, in.node, "TopN", x, nil, checkOrder(orders))
	j, node := in.job, op.node
	j.ops[node].Order = plan.UsesOrder
	j.require(node, n >= 0, "the number of records, %d, is negative", n)
	j.ops[node].Write = func(t *exec.Task, port exec.Port, _ int) exec.Stream {
		return exec.WriteTop(t, node, port, in.codec, n, orderKey(t, node, orders))
	}
	j.ops[node].Pull = func(t *exec.Task, src exec.Source, to any) error {
		return exec.PullTop(t, node, src, in.codec, n, orderKey(t, node, orders), to.(func(T) bool))
	}
	j.ops[node].Moved = schemaOf(in.codec)
	return op
}

// Repartition deals the records out to n partitions in turn, as many as there will be parts or tasks behind it.
func Repartition[T any](in Dataset[T], n int) Dataset[T] {
	op := exchange[T](in.job, in.node, "Repartition", plan.Shuffle{Partitioning: plan.ByRow, Partitions: n}, nil)
	j, node := in.job, op.node
	j.ops[node].Order = plan.UsesOrder
	j.require(node, n >= 1, "the number of partitions, %d, is below 1", n)
	j.ops[node].Write = func(t *exec.Task, port exec.Port, partitions int) exec.Stream {
		return exec.Spread(t, node, port, in.codec, partitions)
	}
	j.ops[node].Pull = func(t *exec.Task, src exec.Source, to any) error {
		return exec.Pull(t, src, in.codec, to.(func(T) bool))
	}
	j.ops[node].Moved = schemaOf(in.codec)
	return op
}
