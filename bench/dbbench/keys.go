package dbbench

import "math/big"

// keys are two sets of n numbers each, the keys of the left and of the right side of a join. Nine tenths stand in both;
// altogether they are the numbers from 1 to 1.1 n, so neither side can tell by a key's size whether it has a match.
type keys struct {
	n, common int64
	order     permutation // of all
}

func newKeys(n int64) keys {
	common := n - n/10
	return keys{n: n, common: common, order: newPermutation(2*n - common)}
}

// left returns key i of the left side, 0 <= i < n.
func (k keys) left(i int64) int64 { return 1 + k.order.at(i) }

// right returns key i of the right side, 0 <= i < n.
func (k keys) right(i int64) int64 {
	if i >= k.common {
		i += k.n - k.common
	}
	return k.left(i)
}

// permutation brings the numbers below n into another order: it walks around the circle of them by a step that has no
// factor in common with n and is near the golden ratio of it, so neighbours come to stand far apart.
type permutation struct{ n, step int64 }

func newPermutation(n int64) permutation {
	step := max(1, int64(float64(n)*0.6180339887))
	for new(big.Int).GCD(nil, nil, big.NewInt(step), big.NewInt(n)).Int64() != 1 {
		step++
	}
	return permutation{n: n, step: step}
}

// at returns the number at place i. Products of two numbers below 2^31 fit.
func (p permutation) at(i int64) int64 { return i * p.step % p.n }
