package exec

// losers finds the first of several lists that are each in order: a tree of losers, which costs one comparison for each of its
// levels and item (D. Knuth, The Art of Computer Programming, volume 3, section 5.4.1).
type losers struct {
	prefixes []uint64 // of the key that each list is at; the greatest number behind its last one
	ended    []bool   // lists that are behind their last key
	// before tells which of two lists comes first that have not ended and are at keys of one prefix.
	before func(a, b int) bool
	// tree[0] is the first list of all. tree[n] is the one that lost at the inner node n, whose children are 2n and 2n+1; list l
	// is the leaf len(prefixes)+l.
	tree []int
	left int // lists that have not ended
}

func newLosers(lists int, before func(a, b int) bool) *losers {
	return &losers{
		prefixes: make([]uint64, lists), ended: make([]bool, lists), before: before, tree: make([]int, max(lists, 1)), left: lists,
	}
}

// start plays the first round, when each list is at its first key.
func (l *losers) start() {
	if len(l.prefixes) > 0 {
		l.tree[0] = l.play(1)
	}
}

// play finds the winner below a node and notes the losers.
func (l *losers) play(node int) (winner int) {
	if node >= len(l.prefixes) {
		return node - len(l.prefixes)
	}
	winner, loser := l.play(2*node), l.play(2*node+1)
	if l.wins(loser, winner) {
		winner, loser = loser, winner
	}
	l.tree[node] = loser
	return winner
}

// first returns the list whose key comes first.
func (l *losers) first() int { return l.tree[0] }

// more tells whether there is one.
func (l *losers) more() bool { return l.left > 0 }

// end notes that a list is behind its last key.
func (l *losers) end(list int) {
	l.prefixes[list], l.ended[list] = 1<<64-1, true
	l.left--
}

// replay finds the first list anew after the first one has moved.
func (l *losers) replay() {
	winner := l.tree[0]
	for node := (len(l.prefixes) + winner) / 2; node > 0; node /= 2 {
		if l.wins(l.tree[node], winner) {
			l.tree[node], winner = winner, l.tree[node]
		}
	}
	l.tree[0] = winner
}

func (l *losers) wins(a, b int) bool {
	if l.prefixes[a] != l.prefixes[b] {
		return l.prefixes[a] < l.prefixes[b]
	}
	return l.winsEqual(a, b)
}

// winsEqual is wins for equal prefixes, apart from it so that that is inlined.
func (l *losers) winsEqual(a, b int) bool {
	if l.ended[a] || l.ended[b] {
		return l.ended[b]
	}
	return l.before(a, b)
}
