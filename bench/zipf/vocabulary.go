package zipf

import (
	"math/bits"
	"math/rand/v2"
)

const (
	minWordBytes = 2
	maxWordBytes = 20
)

// vocabulary holds the word of each rank: distinct, of lower-case letters that can be spoken, and short where frequent.
type vocabulary []word

type word struct {
	letters [maxWordBytes]byte
	size    uint8
}

func newVocabulary(n int) vocabulary {
	words := make(vocabulary, n)
	seen := make(map[word]bool, n)
	random := rand.New(rand.NewPCG(0, 0))
	for k := range words {
		size := wordBytes(k+1, random)
		w := newWord(size, random)
		for seen[w] {
			size = min(size+1, maxWordBytes)
			w = newWord(size, random)
		}
		seen[w] = true
		words[k] = w
	}
	return words
}

// wordBytes gives the word of a rank a length that grows with the rank, to about 8 for the millionth, and varies by a
// little, seldom by much.
func wordBytes(rank int, random *rand.Rand) int {
	size := minWordBytes + bits.Len(uint(rank))/3
	size += bits.TrailingZeros32(random.Uint32()|1<<12) - 1
	return min(max(size, minWordBytes), maxWordBytes)
}

// newWord takes consonants and vowels in turn.
func newWord(size int, random *rand.Rand) word {
	const consonants, vowels = "tnshrdlcmwfgypbvkjxqz", "eaoiu"
	w := word{size: uint8(size)}
	first := random.IntN(2)
	for i := range size {
		if (i+first)%2 == 0 {
			w.letters[i] = consonants[random.IntN(len(consonants))]
		} else {
			w.letters[i] = vowels[random.IntN(len(vowels))]
		}
	}
	return w
}
