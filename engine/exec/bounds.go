package exec

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"unsafe"

	"fletch/engine/batch"
)

// A range exchange puts records into partitions by bounds: all of a partition come before all of the next one. The bounds
// are quantiles of a sample. So that many equal keys do not end in one partition, what is bounded is not the key alone but
// the key and the place in the input, in which equal keys stay: where the blocks stand that these records are read from again.

// Sampled is a key that stands for others.
type Sampled struct {
	Key    []byte  // at most sampledBytes of it, followed by its place
	Weight float64 // how many records it stands for
}

// Bound is where a partition begins: at the first record that does not come before it.
type Bound struct {
	Key []byte // as in Sampled
}

// sampleKeys is how many keys stand for the records of one split or partition. The partitions that come of 16 splits and
// as many bounds as these have partitions differ by a tenth or so.
const sampleKeys = 512

// sampledBytes is how much of a key a sample has, and so a bound: as bounds need not be keys, any bytes do, only that
// partitions differ more where many keys have as much in common.
const sampledBytes = 256

// reservoirBytes is what the keys of a sample take, with their places.
const reservoirBytes = sampleKeys * (sampledBytes + 8 + int64(unsafe.Sizeof([]byte{})))

// WriteSample returns the stream that writes a sample of the keys of its records to the one partition. Each record has the
// same chance, whatever their number, which is not known before (Li: Reservoir-Sampling Algorithms of Time Complexity
// O(n(1+log(N/n))), 1994, algorithm L). Which ones are chosen follows from where they stand: see Sample. Bounds are made of it
// for the exchange of node sorted.
func WriteSample[T any](t *Task, node, sorted int, port Port, codec *batch.Codec[Sampled], key OrderKey[T]) Stream {
	r := &reservoir{random: rand.New(rand.NewPCG(uint64(t.Ordinal), uint64(node))), weight: 1}
	t.Share.Must(reservoirBytes)
	t.atEnd = append(t.atEnd, func() { t.Share.Give(reservoirBytes) })
	place := t.place(sorted)
	e := newEncoder(t, node, port, codec)
	var scratch []byte
	return Stream{Consume: func(rec T) bool {
		if at, ok := r.choose(); ok {
			scratch = key(scratch[:0], &rec)
			r.keys[at] = append(append(r.keys[at][:0], scratch[:min(len(scratch), sampledBytes)]...), place...)
		}
		return true
	}, Finish: func() error {
		for _, key := range r.keys {
			e.parts = append(e.parts, 0)
			e.add(Sampled{Key: key, Weight: t.Weight * float64(r.seen) / float64(len(r.keys))})
		}
		return e.finish()
	}}
}

// place returns where the records of this run come among all of an exchange that the task writes, or samples, so that places
// compare as bytes: a reader of the exchange has the blocks in the order of the stages that write them, then of what is read.
func (t *Task) place(exchange int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(t.Writer(exchange))), uint32(t.Ordinal))
}

// reservoir chooses keys.
type reservoir struct {
	random *rand.Rand
	keys   [][]byte
	seen   int64
	next   int64   // the record that is chosen next, once keys are full
	weight float64 // of algorithm L
}

// choose tells whether the next record is chosen, and which place it takes.
func (r *reservoir) choose() (at int, ok bool) {
	r.seen++
	switch {
	case len(r.keys) < sampleKeys:
		r.keys = append(r.keys, nil)
		if len(r.keys) == sampleKeys {
			r.skip()
		}
		return len(r.keys) - 1, true
	case r.seen == r.next:
		r.skip()
		return r.random.IntN(len(r.keys)), true
	}
	return 0, false
}

// skip decides which record is chosen next.
func (r *reservoir) skip() {
	r.weight *= math.Exp(math.Log(1-r.random.Float64()) / sampleKeys)
	skipped := math.Floor(math.Log(1-r.random.Float64()) / math.Log1p(-r.weight))
	r.next = r.seen + 1 + int64(min(skipped, 1<<60))
}

// Bounds feeds to out the bounds of so many partitions, from the samples of src. There are fewer where the samples do not
// tell that many apart.
func Bounds(t *Task, node int, src Source, codec *batch.Codec[Sampled], partitions int, out func(Bound) bool) error {
	total, collecting := 0.0, true // a key is computed once while records are collected, and again by a merge
	s := newSorter(t, node, codec, func(dst []byte, rec *Sampled) []byte {
		if collecting {
			total += rec.Weight
		}
		return append(dst, rec.Key...)
	})
	defer s.release()
	if err := s.collect(src); err != nil {
		return err
	}
	collecting = false
	var sum float64
	var last []byte
	next := 1 // the partition whose bound is looked for
	return s.feed(func(rec *Sampled) bool {
		sum += rec.Weight
		if next >= partitions || sum <= total*float64(next)/float64(partitions) {
			return next < partitions
		}
		for next < partitions && sum > total*float64(next)/float64(partitions) {
			next++
		}
		if bytes.Equal(last, rec.Key) {
			return true
		}
		last = append(last[:0], rec.Key...)
		return out(Bound{Key: bytes.Clone(last)})
	})
}

// WriteRanges returns the stream that writes records to the partitions that bounds, which are in order, make.
func WriteRanges[T any](t *Task, node int, port Port, codec *batch.Codec[T], key OrderKey[T], bounds []Bound) Stream {
	e := newEncoder(t, node, port, codec)
	r := newRanges(bounds)
	place := t.place(node)
	var scratch []byte
	return Stream{Consume: func(rec T) bool {
		scratch = append(key(scratch[:0], &rec), place...)
		e.parts = append(e.parts, r.partition(scratch))
		e.add(rec)
		return true
	}, Finish: e.finish}
}

// ranges finds the partition of a key.
type ranges struct {
	prefixes []uint64
	bounds   []Bound
}

func newRanges(bounds []Bound) *ranges {
	r := &ranges{bounds: bounds, prefixes: make([]uint64, len(bounds))}
	for i := range bounds {
		r.prefixes[i] = prefixOf(bounds[i].Key)
	}
	return r
}

// partition returns the number of bounds that do not come behind the key.
func (r *ranges) partition(key []byte) uint32 {
	prefix := prefixOf(key)
	lo, n := 0, len(r.prefixes)
	for n > 0 {
		half := n / 2
		if middle := lo + half; r.prefixes[middle] < prefix || r.prefixes[middle] == prefix && bytes.Compare(r.bounds[middle].Key, key) <= 0 {
			lo, n = middle+1, n-half-1
		} else {
			n = half
		}
	}
	return uint32(lo)
}
