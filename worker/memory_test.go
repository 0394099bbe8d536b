package worker

import (
	"testing"
	"time"

	"fletch/fault"
)

// TestMemory kills the executor that exceeds its share while there is too little, and no other.
func TestMemory(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MemoryBytes, c.waits.shrink = 256<<20, time.Millisecond })
	s := b.master.session()
	s.job("small", b.plugin, "ok", "work", "ok")
	s.start("small", "small_0", 0)
	s.running("small_0")
	s.job("large", b.plugin, "ok", "hoard 300", "work")
	s.start("large", "large_1", 1)
	s.start("large", "large_0", 0)
	b.logged("small", "limit 100663296") // half of three quarters
	for _, e := range s.ends("large_0", "large_1") {
		want(t, e, fault.User, "MiB on this worker, more than its share of 96 MiB", "Map at main.go:8", "--memory")
	}
	b.logged("small", "limit 201326592")
	s.stop("small_0", "enough")
	want(t, s.end("small_0"), fault.Cancelled, "was told to stop")
}

// TestMemoryShrinks gives an executor time to get used to a smaller share. That it could not is no fault of its job.
func TestMemoryShrinks(t *testing.T) {
	const shrink = 700 * time.Millisecond
	b := newBench(t, func(c *Config) { c.MemoryBytes, c.waits.shrink = 512<<20, shrink })
	s := b.master.session()
	s.job("first", b.plugin, "ok", "hoard 330")
	s.start("first", "first_0", 0)
	eventually(t, "it has its memory", func() bool {
		return receive(t, s.beats, "a heartbeat").GetResidentBytes() > 330<<20
	}, func() string { return "" })
	begun := time.Now()
	s.job("second", b.plugin, "ok", "hoard 180")
	s.start("second", "second_0", 0)
	want(t, s.end("first_0"), fault.Retryable, "more than its share of 192 MiB")
	if took := time.Since(begun); took < shrink {
		t.Errorf("killed after %v", took)
	}
	s.running("second_0")
}

// TestMemoryWhileLoading fails a job that takes too much before its first attempt, instead of loading it for ever.
func TestMemoryWhileLoading(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MemoryBytes, c.waits.shrink = 128<<20, time.Millisecond })
	s := b.master.session()
	s.job("large", b.plugin, "hoard 400", "ok")
	s.start("large", "large_0", 0)
	want(t, s.end("large_0"), fault.User, "more than its share of 96 MiB")
}

// TestMemoryToSpare leaves an executor alone that exceeds its share while the worker has enough.
func TestMemoryToSpare(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MemoryBytes, c.waits.shrink = 2<<30, time.Millisecond })
	s := b.master.session()
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		s.job(id, b.plugin, "ok", "work", "hoard 300")
		s.start(id, id+"_0", 0)
	}
	s.running("a_0", "b_0", "c_0", "d_0", "e_0", "f_0", "g_0", "h_0") // a share is 192 MiB
	s.start("a", "a_1", 1)
	b.logged("a", "hoarded 300")
	for range len(s.beats) + 5 { // the latest looks found nothing wrong
		receive(t, s.beats, "a heartbeat")
	}
	s.running("a_0", "a_1")
}
