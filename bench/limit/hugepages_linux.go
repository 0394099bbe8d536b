package limit

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// preferHugePages asks for huge pages behind a table, which is read at random: with small ones, a large part of the time
// goes into translating addresses.
func preferHugePages(slots []slot) {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(slots))), uintptr(len(slots))*unsafe.Sizeof(slot{}))
	_ = unix.Madvise(bytes, unix.MADV_HUGEPAGE) //nolint:errcheck // a kernel that refuses costs nothing but speed
}
