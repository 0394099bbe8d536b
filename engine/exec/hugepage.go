package exec

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// preferHugePages asks the kernel to back a large slice by huge pages. A table that is far larger than the processor's
// caches is read at random, and most of the cost is then the translation of addresses. A kernel that refuses costs
// nothing but speed, so the answer is not looked at.
func preferHugePages[T any](s []T) {
	start := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	end := start + uintptr(len(s))*unsafe.Sizeof(*new(T))
	first := (start + hugePage - 1) &^ (hugePage - 1)
	last := end &^ (hugePage - 1)
	if first+hugePage > last {
		return
	}
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), end-start)
	unix.Madvise(bytes[first-start:last-start], unix.MADV_HUGEPAGE) //nolint:errcheck // see above
}
