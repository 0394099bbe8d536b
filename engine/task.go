package engine

import (
	"context"
	"log/slog"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/coro"
	"fletch/engine/exec"
)

// Task is the attempt that runs a function: what code that can fail, count or log is given. It is valid until the
// function returns, and for one goroutine.
type Task struct {
	task *exec.Task
	op   *exec.Operator
}

func taskOf(t *exec.Task, op *exec.Operator) *Task { return &Task{t, op} }

// Context ends when the attempt is cancelled; give it to calls that wait.
func (t *Task) Context() context.Context { return t.task.Context }

// Add adds n to a counter of the job. Counters of attempts that did not count are dropped; the summary shows the totals.
// They are few: the attempt fails at more than a thousand names, or where one is longer than 256 bytes.
func (t *Task) Add(counter string, n int64) { t.task.Count(counter, n) }

// Logger logs for the attempt, with the operator's name.
func (t *Task) Logger() *slog.Logger { return t.task.Log.With("operator", t.op.String()) }

// Do runs f, which may block on a file or the network, on a goroutine for such calls, and returns its error. Other tasks
// use the core meanwhile. f must not call back into the engine. When the attempt is cancelled Do returns at once, with f
// still running or still to run: what f writes to must not be used afterwards.
func (t *Task) Do(f func() error) error { return t.task.Do(f) }

// Coroutine returns the coroutine that runs the attempt.
func (t *Task) Coroutine() *coro.Coroutine { return t.task.Coroutine }

// Allocator allocates batches under the job's memory budget.
func (t *Task) Allocator() memory.Allocator { return t.task.Memory }

// Hold takes n bytes of the task's share of the memory, for buffers of a source that are not small, and waits for them. If
// that is more than there can be, it fails. The task gives back what is left when it ends.
func (t *Task) Hold(n int64) error { return t.task.Hold(n) }

// TryHold takes n bytes if they are there at once. Unlike Hold it may be called from anywhere, as may Drop and Alive.
func (t *Task) TryHold(n int64) bool { return t.task.TryHold(n) }

// Drop gives n bytes back.
func (t *Task) Drop(n int64) { t.task.Drop(n) }

// Alive tells that the task has got on, in work that is long though no record comes of it. A task that does not get on is
// taken to be stuck.
func (t *Task) Alive() { t.task.Alive() }

// Sampled tells whether the task reads its source for an estimate, such as where to cut a sort into partitions. A source
// may take a guess then where it would otherwise need to be sure.
func (t *Task) Sampled() bool { return t.task.Sampled }

// MaxLine is the length in bytes of the longest line of text that is accepted.
func (t *Task) MaxLine() int { return t.task.MaxLineBytes }
