package attempt

import (
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/budget"
)

// A process divides its memory: half is the pool that attempts take from, a fifth is for blocks of the shuffle. What is left
// is for what nobody counts: the program, values of user code, and garbage.

// PoolBytes returns how much of so many bytes is the pool of a process.
func PoolBytes(memory int64) int64 { return memory / 2 }

// BlockBytes returns how much of so many bytes holds blocks of the shuffle. Beyond a moderate size they are as fast in
// files, which the kernel caches in memory that nobody else needs.
func BlockBytes(memory int64) int64 { return min(memory/5, 128<<20) }

// counted is an allocator that counts what it gives out on a share of the memory.
type counted struct {
	memory.Allocator
	share *budget.Share
}

// Allocate implements memory.Allocator.
func (a *counted) Allocate(bytes int) []byte {
	a.share.Must(int64(bytes))
	return a.Allocator.Allocate(bytes)
}

// Reallocate implements memory.Allocator.
func (a *counted) Reallocate(bytes int, b []byte) []byte {
	if grown := int64(bytes - len(b)); grown > 0 {
		a.share.Must(grown)
	} else {
		a.share.Give(-grown)
	}
	return a.Allocator.Reallocate(bytes, b)
}

// Free implements memory.Allocator.
func (a *counted) Free(b []byte) {
	a.Allocator.Free(b)
	a.share.Give(int64(len(b)))
}
