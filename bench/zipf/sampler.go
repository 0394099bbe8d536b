package zipf

import (
	"math/bits"
	"math/rand/v2"
)

// sampler draws ranks from 1 to n in proportion to 1/rank, exactly and without a table: it proposes an octave
// [2^b, 2^(b+1)) and a rank within, both uniformly, so that rank k of octave b comes up in proportion to 2^-b, and keeps
// it with the probability 2^b/k. Between two and three out of four proposals are kept.
type sampler struct {
	n       uint64
	octaves uint64
}

func newSampler(n int) sampler {
	return sampler{n: uint64(n), octaves: uint64(bits.Len(uint(n)))}
}

func (s sampler) draw(random *rand.PCG) uint64 {
	for {
		b, fraction := bits.Mul64(random.Uint64(), s.octaves)
		base := uint64(1) << b
		k := base + fraction>>(64-b)
		// The low half decides: the octave and the rank have used the high bits alone, as octaves are at most 32.
		coin := fraction & (1<<32 - 1)
		if k <= s.n && coin*k < base<<32 {
			return k
		}
	}
}
