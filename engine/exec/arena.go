package exec

import (
	"unsafe"

	"fletch/engine/batch"
)

// hashRanges is how many parts the space of hashes is split into, by the upper bits: what has to be spilled is spilled by
// such a range, if the order of the hashes is asked for.
const (
	hashRangeBits = 4
	hashRanges    = 1 << hashRangeBits
)

// rangeOf returns the range of a hash.
func rangeOf(hash uint64) int { return int(hash >> (64 - hashRangeBits)) }

// arenas keep the bytes of long keys, those of each range of hashes apart, so that a range can be let go.
type arenas [hashRanges]arena

// A mark stands for a long key in slot.hi: LongTag, the key's range, and a number from 1 on. No slot has the bare LongTag
// that every long key comes with, so a long key is never found by its words alone, which may be those of another.
const markBits = 48

// add copies a key of this hash and returns its mark. Bytes is what the arenas grew by.
func (a *arenas) add(key string, hash uint64) (mark uint64, bytes int64) {
	r := rangeOf(hash)
	before := a[r].bytes
	n := a[r].add(key)
	return batch.LongTag | uint64(r)<<markBits | uint64(n), a[r].bytes - before
}

// at returns the key with this mark.
func (a *arenas) at(mark uint64) string {
	return a[mark>>markBits%hashRanges].keys[mark&(1<<markBits-1)-1]
}

// arena is a list of keys. A chunk of their bytes never moves, so views of it stay valid.
type arena struct {
	keys  []string
	chunk []byte
	bytes int64 // of all chunks, and of keys
}

const (
	firstChunk = 1 << 10
	arenaChunk = 64 << 10
)

// add copies key and returns its number, from 1 on.
func (a *arena) add(key string) int {
	if len(key) > cap(a.chunk)-len(a.chunk) {
		a.chunk = make([]byte, 0, max(len(key), min(arenaChunk, max(firstChunk, 2*cap(a.chunk)))))
		a.bytes += int64(cap(a.chunk))
	}
	start := len(a.chunk)
	a.chunk = append(a.chunk, key...)
	copied := a.chunk[start:]
	before := cap(a.keys)
	a.keys = append(a.keys, unsafe.String(unsafe.SliceData(copied), len(copied)))
	a.bytes += int64(cap(a.keys)-before) * int64(unsafe.Sizeof(key))
	return len(a.keys)
}
