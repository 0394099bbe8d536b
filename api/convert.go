package api

import (
	"fmt"
	"math"
	"strings"

	"fletch/engine/plan"
)

// Each message that mirrors a type of the engine has two conversions, named alike: XOf makes the message, its method Plan
// (Report for a Job) the engine's value. The way out never fails; the way in checks all that an index or a size could
// break, so that what it returns can be used without a further look. What only the whole graph can tell is left to
// plan.Graph.Validate.

// The caps on what a message may hold. They are those of package plan.
const (
	maxNodes      = 10_000
	maxTasks      = 1_000_000
	maxPartitions = plan.MaxPartitions
	maxCounters   = 10_000 // a job's own
	maxText       = 64 << 10
)

// Text makes s fit for a field of a message, which holds nothing but UTF-8: other bytes become U+FFFD.
func Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// narrow makes an int fit for a message. One that does not fit becomes one that no receiver takes.
func narrow(n int) int32 {
	if n < 0 || n > math.MaxInt32 {
		return -1
	}
	return int32(n)
}

func narrowAll(list []int) []int32 {
	var out []int32
	for _, n := range list {
		out = append(out, narrow(n))
	}
	return out
}

// checker converts numbers of a message and keeps the first thing that is wrong with them.
type checker struct {
	message string
	err     error
}

func (c *checker) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("message %s: "+format, append([]any{c.message}, args...)...)
	}
}

// keep takes over what is wrong with a part of the message.
func (c *checker) keep(err error) {
	if err != nil {
		c.fail("%w", err)
	}
}

// index returns n if 0 <= n < limit.
func (c *checker) index(what string, n int32, limit int) int {
	if n < 0 || int(n) >= limit {
		c.fail("%s is %d: want 0 to %d", what, n, limit-1)
		return 0
	}
	return int(n)
}

// nodes returns indices of operators or of stages, of which there are no more.
func (c *checker) nodes(what string, list []int32) []int {
	if !c.count(what, len(list), maxNodes) || len(list) == 0 {
		return nil
	}
	out := make([]int, len(list))
	for i, n := range list {
		out[i] = c.index("one of the "+what, n, maxNodes)
	}
	return out
}

// size returns n unless it is negative.
func (c *checker) size(what string, n int64) int64 {
	if n < 0 {
		c.fail("%s is %d: it can't be negative", what, n)
		return 0
	}
	return n
}

// count reports whether there may be n of something.
func (c *checker) count(what string, n, limit int) bool {
	if n > limit {
		c.fail("%d %s, more than %d", n, what, limit)
	}
	return n <= limit
}

// present reports whether a message is there.
func (c *checker) present(there bool) bool {
	if !there {
		c.fail("it is missing")
	}
	return there
}
