package input

import (
	"strings"
	"unsafe"
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
