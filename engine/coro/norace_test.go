//go:build !race

package coro_test

// parkedBytes is what a parked coroutine may cost.
const parkedBytes = 4 << 10
