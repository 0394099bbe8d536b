// Package coro schedules coroutines: functions that give up their core at points of their own choosing, so that a few
// runners carry many more tasks than there are cores, and one that waits costs a stack and no core.
//
// # Life of a coroutine
//
// Spawn creates a coroutine from an entry function and makes it ready. A runner resumes it: the entry function runs on
// the runner's turn until it calls Yield (others first, please), Await (not before this future is complete) or returns.
// Cancel asks it to end: Yield and Await then return the cause, and the entry function unwinds by itself, so that its
// defers run. Done is closed once it has ended, whichever way.
//
//	         Spawn
//	           v         resumed            returns
//	         ready  ---------------->  running  ---->  done
//	          ^  ^        Yield           | |
//	          |  +------------------------+ |
//	          |                             | Await, Join
//	          +----------  parked  <--------+
//	future complete, Cancel
//
// # Who acts
//
// A runner is a goroutine that resumes one coroutine at a time; there are as many as there are permits to use a core.
// The monitor raises the flag of a coroutine whose quantum is spent; a hot loop loads it once a record. It also
// replaces the runner of a coroutine that has not come back for long (code that blocks, or never looks at its flag), so
// that the others go on; once that coroutine comes back, its runner is one too many and ends. Blocking work belongs to
// Go and Do, whose functions run on a bounded number of I/O goroutines.
//
// # Order
//
// Ready coroutines stand in queues by job and stage. Among jobs, the one with the least virtual runtime (time used on
// runners) is next; a job that is new or comes back starts at the minimum of those that are there, so that it can
// neither starve them with the time it was away, nor be starved for what it used while they were. Within a job later stages
// come before earlier ones, so that what has been made is consumed before more is made; within a queue the order is
// first in, first out, but that a coroutine whose quantum is spent, or that has waited, goes on before its equals for up
// to a second of its time: what all of them have begun at once contends for caches and memory. A coroutine that polls in a loop of Yield therefore keeps the earlier stages of its job from
// running: await a future instead.
//
// With a Seed everything runs on one runner, I/O included, and a generator stands in for what differs from run to run:
// how long a resume takes, whether its quantum expires, and which of a queue's coroutines was ready first. The order is
// then a function of the seed alone, as long as only coroutines spawn, cancel and complete.
//
// # Invariants
//
//  1. Only the runner that resumed a coroutine changes its state from running, and only after control has come back. So
//     a future that completes while its coroutine is about to park cannot be missed: before the change it leaves a mark
//     that the runner sees, after it finds the coroutine parked.
//  2. No lock is held while a coroutine is created or resumed, or while a function of the caller runs.
//  3. A coroutine stands on an iterator of iter.Pull that is made when it is first resumed and is always run to its
//     end, by next: stop would leave its defers unable to wait for their I/O. The one exception is a coroutine that is
//     stuck when the scheduler ends: nothing may touch it while it runs, so it is left, and ends when it comes back.
//
// A coroutine must not hold a lock while it gives up its runner: whoever waits for the lock blocks a runner meanwhile.
// It must not switch while its goroutine is locked to a thread, nor inside a callback from C: the Go runtime
// ends the process.
package coro
