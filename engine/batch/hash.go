package batch

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// HashVersion names the function that HashOf and Normalise compute over a key's normalised bytes. Partitions depend on it:
// the same key goes to the same partition in every process, release and machine that has this version.
const HashVersion = 1

// The odd constants of the multiply-and-fold hash, from wyhash (Wang Yi, https://github.com/wangyi-fudan/wyhash).
const (
	secret0 = 0xa0761d6478bd642f
	secret1 = 0xe7037ed1a0b428db
	secret2 = 0x8ebc6af09c88c6e3
)

// fold multiplies to 128 bits and folds the halves together.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// hashWords hashes a key of at most 15 bytes in its two words. Where a factor of the product is zero, what it would lose
// of the other word is added again.
func hashWords(lo, hi uint64) uint64 {
	return fold(fold(lo^secret0, hi^secret1)^hi, secret2)
}

// hashLong hashes a key of more than 15 bytes.
func hashLong(s string) uint64 {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	seed := uint64(len(s)) ^ secret2
	for len(b) > 16 {
		x, y := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		seed = fold(x^secret0^seed, y^secret1) ^ (seed + x + bits.RotateLeft64(y, 23))
		b = b[16:]
	}
	tail := unsafe.String(unsafe.SliceData(b), min(len(b), 15))
	w := wordsOfString(tail)
	if len(b) == 16 {
		w.Hi ^= uint64(b[15]) << 56
	}
	return fold(fold(w.Lo^secret0^seed, w.Hi^secret1)^w.Hi^seed, secret2)
}

// HashBytes returns the hash of a normalised key.
func HashBytes(key []byte) uint64 {
	s := unsafe.String(unsafe.SliceData(key), len(key))
	if len(s) > 15 {
		return hashLong(s)
	}
	return wordsOfString(s).Hash
}

// Partition returns the partition, below n, of a key with this hash. It uses the low half of the hash, as a hash table
// uses the high bits: keys that share a partition still spread over a table.
func Partition(hash uint64, n int) uint32 {
	return uint32(uint64(uint32(hash)) * uint64(n) >> 32)
}

// wordsOfString packs and hashes a key of at most 15 bytes.
func wordsOfString(s string) Words {
	var v Vector
	var w [1]Words
	v.Words = w[:]
	v.strings(unsafe.Pointer(&s), 0)
	return w[0]
}

// strings packs and hashes the strings at base, base+stride, ... A short one becomes its bytes in memory order, zeroes,
// and in the last byte the length plus one, so that no key is all zero and a key differs from its extension by zero
// bytes. It is one loop without calls: half of the time of counting short words is spent here.
func (v *Vector) strings(base unsafe.Pointer, stride uintptr) {
	for i := range v.Words {
		s := *(*string)(unsafe.Add(base, uintptr(i)*stride))
		p, n := unsafe.Pointer(unsafe.StringData(s)), len(s)
		var lo, hi uint64
		switch {
		case n > 15:
			v.setLong(i, s)
			continue
		case n >= 8:
			lo = load64(p)
			hi = load64(unsafe.Add(p, n-8)) >> 8 >> ((15 - n) * 8 & 63) // in two steps, as 64 bits at once are not shifted
		case n >= 4:
			lo = load32(p) | load32(unsafe.Add(p, n-4))<<((n-4)*8&63)
		case n > 0:
			lo = load8(p) | load8(unsafe.Add(p, n/2))<<(n/2*8&63) | load8(unsafe.Add(p, n-1))<<((n-1)*8&63)
		}
		hi |= uint64(n+1) << 56
		w := &v.Words[i]
		w.Lo, w.Hi, w.Hash = lo, hi, hashWords(lo, hi)
	}
}

func load64(p unsafe.Pointer) uint64 { return binary.LittleEndian.Uint64((*[8]byte)(p)[:]) }
func load32(p unsafe.Pointer) uint64 { return uint64(binary.LittleEndian.Uint32((*[4]byte)(p)[:])) }
func load8(p unsafe.Pointer) uint64  { return uint64(*(*byte)(p)) }
