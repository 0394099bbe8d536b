package engine

import (
	"cmp"
	"iter"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"

	"fletch/engine/batch"
	"fletch/engine/exec"
	"fletch/engine/plan"
)

// KV is a key with a value.
type KV[K, V any] = batch.KV[K, V]

// Optional is a value that may be absent.
type Optional[T any] = batch.Optional[T]

// Pair returns a key with a value.
func Pair[K, V any](key K, value V) KV[K, V] { return KV[K, V]{Key: key, Value: value} }

// Some returns a value that is present.
func Some[T any](v T) Optional[T] { return batch.Some(v) }

// Option changes a keyed operator.
type Option func(*plan.Shuffle)

// Unordered waives the increasing order of the keys that come out, for an operator whose reader does not need it. The
// order is then of no meaning, though still the same in every run.
func Unordered() Option { return func(x *plan.Shuffle) { x.Ordered = false } }

// Aggregator folds the values of a key into an accumulator of type A and that into a result. A zero A is the empty
// accumulator. Accumulators cross the shuffle, so A is a type of records; values are folded within each map task and the
// results then merged in the order of the tasks.
type Aggregator[V, A, R any] interface {
	Add(acc *A, v V)
	Merge(acc *A, other A)
	Finish(acc A) R
}

// aggregation is what the keyed folds have in common: values V of keys K are folded to A, and K with its A finished to U.
type aggregation[K, V, A, U any] struct {
	op     string
	given  bool // the user's function is not nil
	exact  bool // the fold comes to the same in whichever order and in whichever groups it is applied
	fold   exec.Fold[V, A]
	finish func(K, *A) U
	// write returns the writing side.
	write func(t *exec.Task, port exec.Port, partitions int, x exec.Keyed[K, V, A]) exec.Stream
}

func aggregate[T, K, V, A, U any](in Dataset[T], a aggregation[K, V, A, U], opts []Option) Dataset[U] {
	codec, keyer, err := keyedTypes[K, A]()
	op := exchange[U](in.job, in.node, a.op, plan.Shuffle{Partitioning: plan.ByHash, Combine: true, Ordered: true}, opts, err)
	j, node := in.job, op.node
	j.ops[node].Order = a.order()
	j.require(node, a.given, "the function is nil")
	x := exec.Keyed[K, V, A]{Node: node, Codec: codec, Keyer: keyer, Fold: a.fold, Slots: new(atomic.Int64)}
	j.ops[node].Write = func(t *exec.Task, port exec.Port, partitions int) exec.Stream {
		return a.write(t, port, partitions, x)
	}
	ordered := j.ops[node].Exchange.Ordered
	j.ops[node].Pull = func(t *exec.Task, src exec.Source, to any) error {
		out := to.(func(U) bool)
		return exec.Aggregate(t, src, x, ordered, func(k K, acc *A) bool {
			t.Enter(node)
			return out(a.finish(k, acc))
		})
	}
	j.ops[node].Moved = schemaOf(codec)
	return op
}

// order says what the fold does about the order of values.
func (a *aggregation[K, V, A, U]) order() plan.Order {
	codec, err := batch.CodecOf[A]()
	switch {
	case a.exact:
		return plan.MakesOrder
	case err == nil && holdsFloats(codec.Schema().Fields()):
		return plan.Rounds
	default:
		return plan.UsesOrder
	}
}

// holdsFloats tells whether there are floats in columns, or in what they are made of.
func holdsFloats(fields []arrow.Field) bool {
	return slices.ContainsFunc(fields, func(f arrow.Field) bool {
		if nested, ok := f.Type.(arrow.NestedType); ok {
			return holdsFloats(nested.Fields())
		}
		return arrow.IsFloating(f.Type.ID())
	})
}

// aggregatePairs aggregates the values of keys.
func aggregatePairs[K, V, A, U any](in Dataset[KV[K, V]], a aggregation[K, V, A, U], opts []Option) Dataset[U] {
	a.write = func(t *exec.Task, port exec.Port, partitions int, x exec.Keyed[K, V, A]) exec.Stream {
		return exec.Combine(t, port, partitions, x, parts[K, V])
	}
	return aggregate(in, a, opts)
}

// aggregateKeys aggregates records that are all key.
func aggregateKeys[K, A, U any](in Dataset[K], op string, fold exec.Fold[exec.None, A], finish func(K, *A) U, opts []Option) Dataset[U] {
	return aggregate(in, aggregation[K, exec.None, A, U]{
		op: op, given: true, exact: true, fold: fold, finish: finish, write: exec.CombineKeys[K, A],
	}, opts)
}

// exchange adds an operator that moves records between tasks.
func exchange[U any](j *Job, input int, name string, x plan.Shuffle, opts []Option, wrong ...error) Dataset[U] {
	for _, o := range opts {
		o(&x)
	}
	return add[U](j, &exec.Operator{Node: plan.Node{Kind: plan.Exchange, Op: name, Inputs: []int{input}, Exchange: &x}}, wrong...)
}

// keyedTypes compiles what is moved and how keys are compared; each task has a keyer of its own.
func keyedTypes[K, V any]() (*batch.Codec[KV[K, V]], func() *batch.Keyer[K], error) {
	keyer, err := batch.KeyerOf[K]()
	if err != nil {
		return nil, nil, err
	}
	codec, err := batch.CodecOf[KV[K, V]]()
	return codec, keyer.Clone, err
}

func parts[K, V any](kv KV[K, V]) (K, V) { return kv.Key, kv.Value }

// Reduce folds the values of each key to one of the same type. The fold must be associative; it is applied to values in
// their order.
func Reduce[K, V any](in Dataset[KV[K, V]], fold func(V, V) V, opts ...Option) Dataset[KV[K, V]] {
	return reduce(in, "Reduce", false, fold, opts)
}

func reduce[K, V any](in Dataset[KV[K, V]], name string, exact bool, fold func(V, V) V, opts []Option) Dataset[KV[K, V]] {
	apply := func(acc *V, v V, fresh bool) {
		if fresh {
			*acc = v
		} else {
			*acc = fold(*acc, v)
		}
	}
	return aggregatePairs(in, aggregation[K, V, V, KV[K, V]]{
		op: name, given: fold != nil, exact: exact,
		fold:   exec.Fold[V, V]{Add: apply, Merge: apply},
		finish: func(k K, acc *V) KV[K, V] { return Pair(k, *acc) },
	}, opts)
}

// Aggregate folds the values of each key by an aggregator.
func Aggregate[K, V, A, R any](in Dataset[KV[K, V]], agg Aggregator[V, A, R], opts ...Option) Dataset[KV[K, R]] {
	return aggregateBy(in, "Aggregate", agg, opts)
}

func aggregateBy[K, V, A, R any](in Dataset[KV[K, V]], name string, agg Aggregator[V, A, R], opts []Option) Dataset[KV[K, R]] {
	return aggregatePairs(in, aggregation[K, V, A, KV[K, R]]{
		op: name, given: agg != nil,
		fold: exec.Fold[V, A]{
			Add:   func(acc *A, v V, _ bool) { agg.Add(acc, v) },
			Merge: func(acc *A, other A, _ bool) { agg.Merge(acc, other) },
		},
		finish: func(k K, acc *A) KV[K, R] { return Pair(k, agg.Finish(*acc)) },
	}, opts)
}

// Count returns each distinct record with the number of its occurrences.
func Count[T any](in Dataset[T], opts ...Option) Dataset[KV[T, int64]] {
	return aggregateKeys(in, "Count", exec.CountFold, func(k T, n *int64) KV[T, int64] { return Pair(k, *n) }, opts)
}

// Distinct returns each record once.
func Distinct[T any](in Dataset[T], opts ...Option) Dataset[T] {
	return aggregateKeys(in, "Distinct", exec.DistinctFold, func(k T, _ *exec.None) T { return k }, opts)
}

// Number is what Sum and Mean add.
type Number interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~float32 | ~float64
}

// Sum returns the sum of each key's values. Integers wrap around as Go's do: map small ones to int64 first.
func Sum[K any, V Number](in Dataset[KV[K, V]], opts ...Option) Dataset[KV[K, V]] {
	var one V = 1 // of integers, the half is none, and sums are the same in any order
	return reduce(in, "Sum", one/2 == 0, func(a, b V) V { return a + b }, opts)
}

// Min returns the least of each key's values.
func Min[K any, V cmp.Ordered](in Dataset[KV[K, V]], opts ...Option) Dataset[KV[K, V]] {
	return reduce(in, "Min", true, func(a, b V) V {
		if before(b, a) {
			return b
		}
		return a
	}, opts)
}

// Max returns the greatest of each key's values; NaN is greater than any number.
func Max[K any, V cmp.Ordered](in Dataset[KV[K, V]], opts ...Option) Dataset[KV[K, V]] {
	return reduce(in, "Max", true, func(a, b V) V {
		if before(a, b) {
			return b
		}
		return a
	}, opts)
}

// before orders values, NaN last.
func before[V cmp.Ordered](a, b V) bool { return a < b || b != b && a == a }

// Mean returns the arithmetic mean of each key's values.
func Mean[K any, V Number](in Dataset[KV[K, V]], opts ...Option) Dataset[KV[K, float64]] {
	return aggregateBy(in, "Mean", mean[V]{}, opts)
}

type mean[V Number] struct{}

// meanSum is the accumulator of mean.
type meanSum struct {
	Sum   float64
	Count int64
}

func (mean[V]) Add(acc *meanSum, v V) {
	acc.Sum += float64(v)
	acc.Count++
}

func (mean[V]) Merge(acc *meanSum, other meanSum) {
	acc.Sum += other.Sum
	acc.Count += other.Count
}

func (mean[V]) Finish(acc meanSum) float64 { return acc.Sum / float64(acc.Count) }

// GroupByKey calls f with each key and its values, in the order in which these stand in the input, and returns the
// elements of f's sequences. The values stream and can be ranged over once.
func GroupByKey[K, V, U any](in Dataset[KV[K, V]], f func(K, iter.Seq[V]) iter.Seq[U], opts ...Option) Dataset[U] {
	return groupByKey(in, "GroupByKey", f, opts)
}

func groupByKey[K, V, U any](in Dataset[KV[K, V]], name string, f func(K, iter.Seq[V]) iter.Seq[U], opts []Option) Dataset[U] {
	codec, keyer, err := keyedTypes[K, V]()
	op := exchange[U](in.job, in.node, name, plan.Shuffle{Partitioning: plan.ByHash, Ordered: true}, opts, err)
	j, node := in.job, op.node
	j.ops[node].Order = plan.UsesOrder
	j.require(node, f != nil, "the function is nil")
	j.ops[node].Write = func(t *exec.Task, port exec.Port, partitions int) exec.Stream {
		return exec.Scatter(t, node, port, partitions, codec, keyer(), parts[K, V])
	}
	ordered := j.ops[node].Exchange.Ordered
	j.ops[node].Pull = func(t *exec.Task, src exec.Source, to any) error {
		out := to.(func(U) bool)
		return exec.Group(t, node, src, codec, keyer(), ordered, func(k K, values iter.Seq[V]) bool {
			t.Enter(node)
			for u := range f(k, values) {
				if !out(u) {
					return false
				}
				t.Enter(node)
			}
			return true
		})
	}
	j.ops[node].Moved = schemaOf(codec)
	return op
}

// MapReduce is the form of the MapReduce paper (Dean and Ghemawat, OSDI 2004): mapper gives keys and values for each
// record, reducer is called with each key and its values.
func MapReduce[T, K, V, U any](in Dataset[T], mapper func(T) iter.Seq2[K, V], reducer func(K, iter.Seq[V]) iter.Seq[U], opts ...Option) Dataset[U] {
	var pairs func(T) iter.Seq[KV[K, V]]
	if mapper != nil {
		pairs = func(rec T) iter.Seq[KV[K, V]] {
			return func(yield func(KV[K, V]) bool) {
				for k, v := range mapper(rec) {
					if !yield(Pair(k, v)) {
						return
					}
				}
			}
		}
	}
	return groupByKey(flatMap(in, "MapReduce.map", pairs), "MapReduce.reduce", reducer, opts)
}
