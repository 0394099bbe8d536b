package input

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"fletch/engine/budget"
	"fletch/fault"
)

// Memory is what buffers that are not small are taken from: the task's share.
type Memory interface {
	// TryHold takes n bytes if they are there at once. It may be called from anywhere, as may Drop.
	TryHold(n int64) bool
	// Hold takes n bytes and waits for them, on the task's coroutine.
	Hold(n int64) error
	// Drop gives n bytes back.
	Drop(n int64)
}

// smallBytes is what a buffer may have without being counted.
const smallBytes = 1 << 20

// Hold is what one buffer takes of the memory. One goroutine at a time uses it.
type Hold struct {
	memory Memory
	bytes  int64
}

// NewHold returns the hold of a buffer that is yet to be made.
func NewHold(m Memory) *Hold { return &Hold{memory: m} }

// Grow takes what a buffer of so many bytes needs beyond what is held already. If that is not there at once it takes
// nothing, and returns what is missing: for Await.
func (h *Hold) Grow(size int) (missing int64) {
	n := int64(size) - smallBytes - h.bytes
	if n > 0 && !h.memory.TryHold(n) {
		return n
	}
	h.bytes += max(n, 0)
	return 0
}

// Await takes n bytes and waits for them, on the task's coroutine. If there never are so many, the error begins with what
// they are for.
func (h *Hold) Await(n int64, purpose string) error {
	if n == 0 {
		return nil
	}
	err := h.memory.Hold(n)
	if err == nil {
		h.bytes += n
		return nil
	}
	if tooLarge, ok := errors.AsType[*budget.TooLargeError](err); ok {
		return fault.As(fault.User, fmt.Errorf("%s, %w", purpose, tooLarge))
	}
	return err
}

// Release gives back what is held.
func (h *Hold) Release() {
	h.memory.Drop(h.bytes)
	h.bytes = 0
}

// Larger returns how much to read behind a text of so many bytes that holds no whole record: as much again, up to where
// the record is known to be longer than most, which is refused; but at least n.
func Larger(n, size, most int) int { return max(n, min(size, most+2-size)) }

// Unzeroed returns n bytes of fresh memory, with anything in it. The runtime's clearing of a buffer that is about to be
// overwritten anyway takes a third of the time of reading lines. strings.Builder is the one way of the standard library
// to such memory; what it writes first makes its buffer addressable.
func Unzeroed(n int) []byte {
	if n == 0 {
		return nil
	}
	var b strings.Builder
	b.Grow(n)
	b.WriteByte(0)
	return unsafe.Slice(unsafe.StringData(b.String()), n)
}
