package exec

import (
	"encoding/binary"
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

// A mark stands for a long key in slot.hi: LongTag, the key's range, the number of its chunk from 1 on, and where it begins
// there. No slot has the bare LongTag that every long key comes with, so a long key is never found by its words alone, which
// may be those of another.
const (
	rangeShift = 52
	chunkShift = 16
)

// add copies a key of this hash and returns its mark. Bytes is what the arenas grew by.
func (a *arenas) add(key string, hash uint64) (mark uint64, bytes int64) {
	r := rangeOf(hash)
	before := a[r].bytes
	at := a[r].add(key)
	return batch.LongTag | uint64(r)<<rangeShift | at, a[r].bytes - before
}

// at returns the key with this mark.
func (a *arenas) at(mark uint64) string {
	return a[mark>>rangeShift%hashRanges].at(mark & (1<<rangeShift - 1))
}

// arena is a list of keys: bytes without pointers, which the garbage collector need not look through.
type arena struct {
	chunks [][]byte // of keys, each behind its length; a chunk never moves, so views of it stay valid
	bytes  int64    // of all chunks
}

const (
	firstChunk = 1 << 10
	arenaChunk = 1 << chunkShift
)

// add copies key and returns its chunk and where it begins.
func (a *arena) add(key string) (at uint64) {
	last := len(a.chunks) - 1
	need := len(key) + binary.MaxVarintLen64
	if last < 0 || need > cap(a.chunks[last])-len(a.chunks[last]) {
		size := firstChunk
		if last >= 0 {
			size = min(2*cap(a.chunks[last]), arenaChunk)
		}
		a.chunks = append(a.chunks, make([]byte, 0, max(size, need)))
		last++
		a.bytes += int64(cap(a.chunks[last]))
	}
	chunk := a.chunks[last]
	at = uint64(last+1)<<chunkShift | uint64(len(chunk))
	chunk = binary.AppendUvarint(chunk, uint64(len(key)))
	a.chunks[last] = append(chunk, key...)
	return at
}

// at returns the key at a place that add returned.
func (a *arena) at(at uint64) string {
	chunk := a.chunks[at>>chunkShift-1][at%arenaChunk:]
	n, start := uint64(chunk[0]), 1
	if n >= 0x80 {
		n, start = binary.Uvarint(chunk)
	}
	return unsafe.String(&chunk[start], n)
}
