package gather

import "fmt"

// Selection groups the rows of one record by partition, keeping their order: a counting sort.
type Selection struct {
	rows []uint32 // the rows of partition 0, then those of partition 1 ...
	ends []uint32 // ends[p] is where partition p ends in rows
}

// Group makes the selection that of parts, where parts[i] is the partition of row i.
func (s *Selection) Group(parts []uint32, partitions int) error {
	if cap(s.ends) < partitions {
		s.ends = make([]uint32, partitions)
	}
	if cap(s.rows) < len(parts) {
		s.rows = make([]uint32, len(parts))
	}
	s.ends, s.rows = s.ends[:partitions], s.rows[:len(parts)]
	clear(s.ends)
	ends, rows := s.ends, s.rows
	for i, p := range parts {
		if int(p) >= len(ends) {
			return fmt.Errorf("row %d belongs to partition %d of %d", i, p, partitions)
		}
		ends[p]++
	}
	// From counts to where each partition begins; placing its rows then moves that to where it ends.
	start := uint32(0)
	for p, n := range ends {
		ends[p] = start
		start += n
	}
	for i, p := range parts {
		at := ends[p]
		rows[at] = uint32(i)
		ends[p] = at + 1
	}
	return nil
}

// Rows returns the rows of a partition, in increasing order. It is valid until the next Group.
func (s *Selection) Rows(partition int) []uint32 {
	start := uint32(0)
	if partition > 0 {
		start = s.ends[partition-1]
	}
	return s.rows[start:s.ends[partition]]
}
