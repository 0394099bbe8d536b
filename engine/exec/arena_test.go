package exec

import (
	"math/rand/v2"
	"strings"
	"testing"

	"fletch/engine/batch"
)

// TestArenas finds each key by its mark, from the shortest to such as need a chunk of their own.
func TestArenas(t *testing.T) {
	var a arenas
	r := rand.New(rand.NewPCG(1, 1))
	keys := map[uint64]string{}
	bytes, held := int64(0), int64(0)
	for i := range 20_000 {
		n := 16 + r.IntN(300)
		if i%1000 == 0 {
			n = arenaChunk - 5 + i/1000 // about a chunk
		}
		key := strings.Repeat(string(rune('a'+i%26)), n)
		mark, grown := a.add(key, r.Uint64())
		if _, ok := keys[mark]; ok || mark <= batch.LongTag {
			t.Fatalf("key %d has the mark %x", i, mark)
		}
		keys[mark] = key
		bytes += int64(n)
		held += grown
	}
	for mark, key := range keys {
		if got := a.at(mark); got != key {
			t.Fatalf("mark %x finds a key of %d bytes, want %d", mark, len(got), len(key))
		}
	}
	if held < bytes || held > bytes+bytes/8+hashRanges*arenaChunk {
		t.Errorf("%d bytes of keys take %d", bytes, held)
	}
}
