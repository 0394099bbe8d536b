package machine

import (
	"runtime/debug"
	"testing"
)

// TestLimitHeap leaves a percentage alone that the user has chosen.
func TestLimitHeap(t *testing.T) {
	limit, percent := debug.SetMemoryLimit(-1), debug.SetGCPercent(100)
	defer func() {
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	}()
	for _, c := range []struct {
		bytes int64
		gogc  string
		want  int
	}{{64 << 20, "", 200}, {1 << 30, "", 50}, {64 << 20, "70", 70}, {1 << 40, "70", 70}} {
		t.Setenv("GOGC", c.gogc)
		debug.SetGCPercent(70)
		LimitHeap(c.bytes)
		if have := debug.SetGCPercent(70); have != c.want {
			t.Errorf("of %d bytes with GOGC=%q, the percentage is %d, want %d", c.bytes, c.gogc, have, c.want)
		}
		if have := debug.SetMemoryLimit(-1); have != c.bytes {
			t.Errorf("the limit is %d, want %d", have, c.bytes)
		}
	}
}
