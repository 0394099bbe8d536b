//go:build race

package coro_test

// parkedBytes is what a parked coroutine may cost: the race detector deepens its stack.
const parkedBytes = 6 << 10
