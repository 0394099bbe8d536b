package spill

import (
	"cmp"
	"slices"
)

// pageBytes is what stretches are rounded up to: to write a part of a page that has left memory, the kernel would have to
// read it first.
const pageBytes = 4 << 10

// space knows which bytes of a file are free.
type space struct {
	end   int64     // of all that was ever taken
	holes []stretch // below it, by offset; no two of them touch
}

type stretch struct{ offset, length int64 }

// take returns the offset of so many bytes that are free: the first hole that they fit into, or the end.
func (s *space) take(bytes int64) int64 {
	bytes = pages(bytes)
	for i := range s.holes {
		h := &s.holes[i]
		if h.length < bytes {
			continue
		}
		offset := h.offset
		h.offset += bytes
		h.length -= bytes
		if h.length == 0 {
			s.holes = slices.Delete(s.holes, i, i+1)
		}
		return offset
	}
	offset := s.end
	s.end += bytes
	return offset
}

// give makes bytes free that were taken at offset.
func (s *space) give(offset, bytes int64) {
	hole := stretch{offset, pages(bytes)}
	i, _ := slices.BinarySearchFunc(s.holes, hole, func(a, b stretch) int { return cmp.Compare(a.offset, b.offset) })
	if i < len(s.holes) && hole.offset+hole.length == s.holes[i].offset {
		hole.length += s.holes[i].length
		s.holes = slices.Delete(s.holes, i, i+1)
	}
	if i > 0 && s.holes[i-1].offset+s.holes[i-1].length == hole.offset {
		s.holes[i-1].length += hole.length
		return
	}
	s.holes = slices.Insert(s.holes, i, hole)
}

func pages(bytes int64) int64 { return (bytes + pageBytes - 1) &^ (pageBytes - 1) }
