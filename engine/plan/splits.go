package plan

const (
	minSplitBytes = 1 << 20
	maxSplitBytes = 64 << 20
	splitsOfTotal = 16     // a small input is cut into about this many splits, so that all cores have work
	maxItemSplits = 10_000 // of one source of items
)

// ItemSplits cuts an input of items into splits of about a sixteenth of the total, but of 1 to 64 MiB; items of unknown
// size (ItemBytes is zero) are taken as units of work, each in a split of its own. There is at least one split, even
// without items, and at most 10,000. The splits' sizes differ by one item at most.
func ItemSplits(in Input) []Split {
	n := in.Items
	if in.ItemBytes > 0 {
		total := mulCapped(in.Items, in.ItemBytes)
		n = min(n, ceilDiv(total, min(max(total/splitsOfTotal, minSplitBytes), maxSplitBytes)))
	}
	n = min(max(n, 1), maxItemSplits)
	splits := make([]Split, n)
	each, more := in.Items/n, in.Items%n
	first := int64(0)
	for i := range splits {
		count := each
		if int64(i) < more {
			count++
		}
		splits[i] = Split{First: first, Count: count, Bytes: mulCapped(count, in.ItemBytes)}
		first += count
	}
	return splits
}
