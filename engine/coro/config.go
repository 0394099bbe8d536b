package coro

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Config sets a scheduler up; a field that is zero takes its default.
type Config struct {
	// Runners is the number of permits: so many coroutines run at a time. Default: GOMAXPROCS, and 1 with a Seed.
	Runners int
	// Quantum is the time after which a coroutine's flag is raised. Default: 10 ms.
	Quantum time.Duration
	// BlockedAfter is the time after which a coroutine that has not come back is reported and its runner replaced.
	// Default: 1 s.
	BlockedAfter time.Duration
	// Grace is the time that coroutines have to unwind once the context of Run has ended. Default: 2 s.
	Grace time.Duration
	// Seed, if not zero, makes the order a function of it. Neither quantum nor BlockedAfter is then measured.
	Seed uint64
	// IO is the number of calls of Go and Do that run at a time. Default: 16, or 4 for each of GOMAXPROCS if that is more.
	IO int
	// OnBlocked, if set, is told which coroutine has had its runner replaced, and for how long it has run. The monitor
	// calls it and waits for it, so it must not block.
	OnBlocked func(name string, running time.Duration)
}

func (c *Config) setDefaults() {
	if c.Runners == 0 {
		c.Runners = runtime.GOMAXPROCS(0)
		if c.Seed != 0 {
			c.Runners = 1
		}
	}
	if c.Quantum == 0 {
		c.Quantum = 10 * time.Millisecond
	}
	if c.BlockedAfter == 0 {
		c.BlockedAfter = time.Second
	}
	if c.Grace == 0 {
		c.Grace = 2 * time.Second
	}
	if c.IO == 0 {
		c.IO = max(16, 4*runtime.GOMAXPROCS(0))
	}
}

func (c *Config) validate() error {
	var errs []error
	positive := func(name string, value int64) {
		if value < 0 {
			errs = append(errs, fmt.Errorf("coro: %s must not be negative", name))
		}
	}
	positive("Runners", int64(c.Runners))
	positive("Quantum", int64(c.Quantum))
	positive("BlockedAfter", int64(c.BlockedAfter))
	positive("Grace", int64(c.Grace))
	positive("IO", int64(c.IO))
	if c.Seed != 0 && c.Runners > 1 {
		errs = append(errs, fmt.Errorf("coro: a seed orders one runner, not %d", c.Runners))
	}
	return errors.Join(errs...)
}
