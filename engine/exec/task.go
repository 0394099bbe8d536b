package exec

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/budget"
	"fletch/engine/coro"
	"fletch/engine/plan"
)

// Task is what the operators of one attempt share.
type Task struct {
	// Context ends when the attempt is cancelled.
	Context context.Context
	// Coroutine runs the attempt.
	Coroutine *coro.Coroutine
	// Memory allocates batches and counts them on Share: see Counted. Who holds them does not take them again.
	Memory memory.Allocator
	// Share is the attempt's part of the process's memory: what operators keep is taken from it first.
	Share *budget.Share
	// Spill takes what Share does not grant.
	Spill Spill
	// Log takes what user code logs.
	Log *slog.Logger
	// MaxLineBytes is the length of the longest line of text that is accepted.
	MaxLineBytes int
	// Sampled says that the stage reads a sample: what comes of it is an estimate, and no record of it counts.
	Sampled bool
	// Ordinal is the number of what is being read, in the order of the input: the split's, or the partition's, which
	// changes between runs. It is the same in all stages that read it.
	Ordinal int
	// Weight is how many times as much a task that reads a sample stands for as it reads.
	Weight float64
	// Writer returns the number of the stage that writes an exchange with the records that this stage reads: its own, or if
	// it reads a sample, that of the one that reads all.
	Writer func(exchange int) int
	// Partitions returns the number of partitions of any exchange of the job.
	Partitions func(exchange int) int
	// Side opens a side of the stage, all of its partitions one after another. Who asks for it closes it.
	Side func(exchange int) (Source, error)
	// Again are the nodes whose records another stage of the same root counts: counters of user code stand still there.
	Again []int
	// Progress counts rows and bytes while the attempt runs; others may read it meanwhile.
	Progress *Progress

	counters  map[string]int64
	metrics   plan.Metrics
	program   Program
	root      int          // the node that records come from
	op        int          // the node whose user code runs
	atEnd     []func()     // frees what a run holds, however it ends
	failure   error        // of the last run
	aborted   error        // why rows were left: the run fails with it
	source    Source       // that the last record came from
	decoded   int64        // bytes of the batches whose records were fed
	tables    []emptier    // of the run's combiners
	kept      map[int]any  // what operators keep of sides until the attempt ends, by node
	keptBytes int64        // what that takes of the share
	buffers   atomic.Int64 // bytes of the share that sources hold
	steps     int64        // those of Progress, and some that are not told yet
	row       int          // within the batch that source yielded last; below zero: no record is at work
}

// Enter notes that the code of a node begins to run: a failure is then told of its operator.
func (t *Task) Enter(node int) { t.op = node }

// collected is Enter for code that works on records that were collected, of which none can be told to be at work. The
// caller restores the row that it returns.
func (t *Task) collected(node int) (row int) {
	row, t.op, t.row = t.row, node, -1
	return row
}

// Progress is what an attempt has done so far.
type Progress struct {
	Rows, Bytes atomic.Int64
	// Steps grows as records, groups and values are done with. While it stands still, one call of user code has not returned.
	Steps atomic.Int64
	// Waits says that the attempt waits for memory which others hold.
	Waits atomic.Bool
}

// Failure returns the error of the last run: for a caller that is itself unwound by user code that ended the goroutine.
func (t *Task) Failure() error { return t.failure }

// The limits of counters: a job's masters keep them, for each of its tasks.
const (
	maxCounters     = 1000
	maxCounterBytes = 256 // of a name
)

// Count adds n to one of the user's counters, if this stage is the one that counts for the node at work. It leaves the rows
// where data is taken for names.
func (t *Task) Count(name string, n int64) {
	if slices.Contains(t.Again, t.op) {
		return
	}
	if _, known := t.counters[name]; !known {
		t.newCounter(name)
	}
	t.counters[name] += n
}

func (t *Task) newCounter(name string) {
	switch {
	case len(name) > maxCounterBytes:
		t.check(t.blame(fmt.Errorf("a counter's name has %d bytes, at most %d are kept: %.40q", len(name), maxCounterBytes, name), nil))
	case len(t.counters) == maxCounters:
		t.check(t.blame(fmt.Errorf("more than %d counters, the last is %q: count by key with an operator such as Count instead", maxCounters, name), nil))
	case t.counters == nil:
		t.counters = map[string]int64{}
	}
}

// Counters returns the user's counters; nil where there are none.
func (t *Task) Counters() map[string]int64 { return t.counters }

// Metrics returns what has been counted so far.
func (t *Task) Metrics() plan.Metrics { return t.metrics }

// advance is pause for loops over what was there before user code ran: when it gets to one thing, it is done with the one
// before. What user code emits does not count, as that may have no end.
func (t *Task) advance() {
	t.steps++
	t.pause()
}

// pause yields once the quantum is spent; it leaves the rows when the attempt has been cancelled. Loops over rows call
// it for each.
func (t *Task) pause() {
	if t.Coroutine.ShouldYield() {
		t.yield() // apart, so that the rest is inlined
	}
}

//go:noinline
func (t *Task) yield() {
	t.Progress.Steps.Store(t.steps)
	t.check(t.Coroutine.Yield())
}

// Do runs f, which may block, on a goroutine for such calls while other coroutines use the core.
func (t *Task) Do(f func() error) error {
	t.Progress.Steps.Store(t.steps) // the quantum begins anew afterwards, and may never be spent
	return coro.Do(t.Coroutine, f)
}
