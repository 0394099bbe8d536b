package exec

import (
	"math"
	"math/rand/v2"
)

// Sample returns the consumer that passes each record on with the given chance. Which ones follows from the seed and from
// where they stand in the input, so it is the same in every attempt as far as their order is: behind a join it is not.
func Sample[T any](t *Task, fraction float64, seed uint64, out func(T) bool) func(T) bool {
	s := &skips{random: rand.New(rand.NewPCG(seed, uint64(t.Ordinal))), log: math.Log1p(-fraction)}
	s.skip()
	return func(rec T) bool {
		if s.left > 0 {
			s.left--
			return true
		}
		s.skip()
		return out(rec)
	}
}

// skips draws how many records lie between two that are chosen: the geometric distribution, a draw for each chosen one.
type skips struct {
	random *rand.Rand
	log    float64 // of the chance not to be chosen
	left   int64
}

func (s *skips) skip() {
	n := math.Floor(math.Log(1-s.random.Float64()) / s.log)
	if !(n < 1<<62) { // none is chosen: infinite, or zero by zero
		n = 1 << 62
	}
	s.left = int64(n)
}
