package exec

import "bytes"

// pieces reads rows in order that are sorted in several lists. Of equal keys, those of an earlier list come first.
type pieces struct {
	lists  [][]ranked // what is left of each
	losers *losers
}

// newPieces returns the rows of lists, none of which is empty. Tail is as in sorting.
func newPieces(lists [][]ranked, tail func(at uint64) []byte) *pieces {
	p := &pieces{lists: append([][]ranked(nil), lists...)}
	p.losers = newLosers(len(lists), func(a, b int) bool {
		if tail != nil {
			if c := bytes.Compare(tail(p.lists[a][0].at), tail(p.lists[b][0].at)); c != 0 {
				return c < 0
			}
		}
		return a < b
	})
	for i := range lists {
		p.losers.prefixes[i] = lists[i][0].prefix
	}
	p.losers.start()
	return p
}

// read fills dst with the next rows and returns their number, which is less only at the end.
func (p *pieces) read(dst []ranked) (n int) {
	if len(p.lists) == 1 {
		n = copy(dst, p.lists[0])
		p.lists[0] = p.lists[0][n:]
		return n
	}
	l := p.losers
	for n < len(dst) && l.more() {
		first := l.first()
		list := p.lists[first]
		dst[n] = list[0]
		n++
		if list = list[1:]; len(list) > 0 {
			l.prefixes[first] = list[0].prefix
		} else {
			l.end(first)
		}
		p.lists[first] = list
		l.replay()
	}
	return n
}
