package exec

import (
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fletch/engine/budget"
)

// Counted returns an allocator that counts what it gives out on a share of the memory: a task's. It does not refuse, as the
// bytes are needed by then; the share is overdrawn, and who takes from it next is refused.
func Counted(allocator memory.Allocator, share *budget.Share) memory.Allocator {
	return &counted{allocator, share}
}

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
