package worker

import (
	"fmt"
	"time"

	"fletch/api"
	"fletch/fault"
	"fletch/internal/machine"
)

// The worker promises no more than it has: a part for outputs, which are counted before they are written, and what is left in
// equal parts for the executors that have a job. What these promise their attempts is less than their part: see package
// executor. The agent and a spare executor are beside that.

// blockShare is the part of the memory that is for outputs.
const blockShare = 4

// blockBytes is the memory for outputs.
func (c *Config) blockBytes() int64 { return c.MemoryBytes / blockShare }

// shareBytes returns what each executor may use.
func (a *agent) shareBytes() int64 {
	busy := int64(0)
	for c := range a.children {
		if c.job != nil && c.verdict == nil {
			busy++
		}
	}
	return (a.config.MemoryBytes - a.config.blockBytes()) / max(busy, 1)
}

// share tells executors of their shares, where these have changed.
func (a *agent) share() {
	limit := a.shareBytes()
	for c := range a.children {
		if c.job == nil || c.verdict != nil || c.limit == limit {
			continue
		}
		if limit < c.limit {
			c.lowered = time.Now()
		}
		c.limit = limit
		c.say(&api.AgentMessage{Message: &api.AgentMessage_Limits{Limits: &api.SetLimits{MemoryBytes: limit}}})
	}
}

// slack is how much more than its share an executor may have resident: what its runtime and collector need.
func slack(limit int64) int64 { return limit/10 + 64<<20 }

// residentBytes returns the memory of the executors and of the outputs, at the last look.
func (a *agent) residentBytes() int64 {
	total, _ := a.outputs.used()
	for c := range a.children {
		total += c.resident
	}
	return total
}

// checkMemory kills the executor that exceeds its share by most, while all together exceed the worker's memory. One whose
// share was lowered gets time to adapt, unless there is far too little.
func (a *agent) checkMemory(now time.Time) {
	for c := range a.children {
		c.resident = machine.Resident(c.process.pid())
	}
	total := a.residentBytes()
	if total <= a.config.MemoryBytes {
		return
	}
	urgent := total > a.config.MemoryBytes+a.config.MemoryBytes/2
	var worst *child
	excess := int64(0)
	for c := range a.children {
		if c.job == nil || c.verdict != nil || !urgent && now.Sub(c.lowered) < a.config.waits.shrink {
			continue
		}
		if e := c.resident - c.limit - slack(c.limit); e > excess {
			worst, excess = c, e
		}
	}
	if worst == nil {
		return
	}
	stages := map[int32]bool{}
	for _, t := range worst.job.attempts {
		stages[t.order.GetTask().GetStage()] = true
	}
	what := fmt.Sprintf("the job used %d MiB on this worker, more than its share of %d MiB: let its functions keep less in memory (%s), "+
		"or give the worker more with --memory, or run fewer jobs at once",
		worst.resident>>20, worst.limit>>20, some(worst.job.operators(stages)))
	class := fault.User
	if worst.limit < worst.granted { // it may have fitted when it began; the job's next executor begins with what there is now
		class = fault.Retryable
	}
	a.condemn(worst, &verdict{what: what, class: class})
}
