package executor

import "testing"

// TestPromises promises no more than 70% of what the agent has granted, however little that is.
func TestPromises(t *testing.T) {
	for _, memory := range []int64{1 << 20, 48 << 20, 200 << 20, 1 << 30, 1 << 40} {
		l := limits{memoryBytes: memory}
		sum := l.poolBytes() + l.shuffleBytes() + l.aheadBytes()
		if sum > memory/10*7+10 || l.poolBytes() != memory/2 || l.shuffleBytes() <= 0 || l.aheadBytes() <= 0 || l.aheadBytes() > 32<<20 {
			t.Errorf("of %d bytes, %d are for attempts, %d for blocks and %d for those of others", memory, l.poolBytes(), l.shuffleBytes(), l.aheadBytes())
		}
	}
}
