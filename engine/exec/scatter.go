package exec

import (
	"unsafe"

	"fletch/engine/batch"
)

// Scatter returns the stream that sends records to the partitions of their keys' hashes, uncombined. Split takes a record
// apart.
func Scatter[T, K, V any](
	t *Task, node int, port Port, partitions int, codec *batch.Codec[batch.KV[K, V]], keyer *batch.Keyer[K], split func(T) (K, V),
) Stream {
	s := &scatter[K, V]{task: t, keyer: keyer, out: newEncoder(t, node, port, codec), partitions: partitions, size: batch.NewSizer[batch.KV[K, V]]()}
	return Stream{Consume: func(rec T) bool {
		kv := &s.rows[s.n]
		kv.Key, kv.Value = split(rec)
		s.bytes += s.size.Of(kv)
		if s.n++; s.n == vectorRows || s.bytes >= vectorBytes {
			s.flush()
		}
		return true
	}, Finish: func() error {
		s.flush()
		return s.out.finish()
	}}
}

type scatter[K, V any] struct {
	task       *Task
	keyer      *batch.Keyer[K]
	out        *encoder[batch.KV[K, V]]
	partitions int

	size   batch.Sizer[batch.KV[K, V]]
	n      int   // records in rows
	bytes  int64 // that these hold
	rows   [vectorRows]batch.KV[K, V]
	vector batch.Vector
}

func (s *scatter[K, V]) flush() {
	s.task.pause()
	rows := s.rows[:s.n]
	s.keyer.Normalise(&s.vector, &s.rows[0].Key, unsafe.Sizeof(s.rows[0]), len(rows))
	for i, w := range s.vector.Words {
		s.out.parts = append(s.out.parts, batch.Partition(w.Hash, s.partitions))
		s.out.add(rows[i])
	}
	dropLarge(rows)
	s.n, s.bytes = 0, 0
}
