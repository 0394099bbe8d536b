package engine

import (
	"fletch/engine/batch"
	"fletch/engine/exec"
	"fletch/engine/plan"
)

// Order is one column of an order of records: see Asc and Desc.
type Order[T any] struct {
	compile func() (exec.OrderKey[T], error)
}

// Asc orders records by key, the smallest first.
func Asc[T, K any](key func(T) K) Order[T] { return orderBy(key, 0) }

// Desc orders records by key, the greatest first.
func Desc[T, K any](key func(T) K) Order[T] { return orderBy(key, 0xff) }

// orderBy encodes keys so that their bytes compare as they do, each byte changed by flip.
func orderBy[T, K any](key func(T) K, flip byte) Order[T] {
	return Order[T]{compile: func() (exec.OrderKey[T], error) {
		if key == nil {
			return nil, errNilFunction
		}
		k, err := batch.KeyerOf[K]()
		if err != nil {
			return nil, err
		}
		var v K // one for all records, as its address is taken
		return func(dst []byte, rec *T) []byte {
			v = key(*rec)
			start := len(dst)
			dst = k.AppendPart(dst, &v)
			for i := start; i < len(dst); i++ {
				dst[i] ^= flip
			}
			return dst
		}, nil
	}}
}

// compileOrder joins the columns of an order, for one task.
func compileOrder[T any](orders []Order[T]) (exec.OrderKey[T], error) {
	columns := make([]exec.OrderKey[T], len(orders))
	for i, o := range orders {
		if o.compile == nil {
			return nil, errNilFunction
		}
		var err error
		if columns[i], err = o.compile(); err != nil {
			return nil, err
		}
	}
	return func(dst []byte, rec *T) []byte {
		for _, c := range columns {
			dst = c(dst, rec)
		}
		return dst
	}, nil
}

// TopN returns the first n records in the given order, in that order: TopN(counts, 10, Desc(count), Asc(word)). Of equal
// records the ones that stand earlier in the input come first.
func TopN[T any](in Dataset[T], n int, orders ...Order[T]) Dataset[T] {
	_, err := compileOrder(orders)
	op := exchange[T](in.job, in.node, "TopN", plan.Shuffle{Partitioning: plan.ByNothing, Partitions: 1, Combine: true, Ordered: true}, nil, err)
	j, node := in.job, op.node
	j.require(node, n >= 0, "the number of records, %d, is negative", n)
	j.require(node, len(orders) > 0, "no order is given; use Asc or Desc")
	key := func(t *exec.Task) exec.OrderKey[T] {
		order, _ := compileOrder(orders) // it compiled before
		return func(dst []byte, rec *T) []byte {
			t.Enter(node)
			return order(dst, rec)
		}
	}
	j.ops[node].Write = func(t *exec.Task, port exec.Port, _ int) exec.Stream {
		return exec.WriteTop(t, port, in.codec, n, key(t))
	}
	j.ops[node].Pull = func(t *exec.Task, src exec.Source, to any) error {
		return exec.PullTop(t, src, in.codec, n, key(t), to.(func(T) bool))
	}
	j.ops[node].Moved = schemaOf(in.codec)
	return op
}

// Repartition deals the records out to n partitions in turn, as many as there will be parts or tasks behind it.
func Repartition[T any](in Dataset[T], n int) Dataset[T] {
	op := exchange[T](in.job, in.node, "Repartition", plan.Shuffle{Partitioning: plan.ByRow, Partitions: n}, nil)
	j, node := in.job, op.node
	j.require(node, n >= 1, "the number of partitions, %d, is below 1", n)
	j.ops[node].Write = func(t *exec.Task, port exec.Port, partitions int) exec.Stream {
		return exec.Spread(t, port, in.codec, partitions)
	}
	j.ops[node].Pull = func(t *exec.Task, src exec.Source, to any) error {
		return exec.Pull(t, src, in.codec, to.(func(T) bool))
	}
	j.ops[node].Moved = schemaOf(in.codec)
	return op
}
