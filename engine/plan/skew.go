package plan

// Skew is a partition that is much larger than the others of what a stage reads: one task has all of it, and others wait.
type Skew struct {
	Partition int   `json:"partition"`
	Bytes     int64 `json:"bytes"`
	MeanBytes int64 `json:"mean_bytes"` // of all partitions
}

const (
	skewTimes = 4 // the mean
	skewBytes = 32 << 20
)

// Skewed returns the largest partition of what a stage reads if it is skewed, nil otherwise. Of several stages of a root, the
// first one that reads all of it tells. The stage's parents are complete.
func Skewed(g *Graph, s *Stage, facts Facts) *Skew {
	bytes, err := facts.bytes(g, s)
	if err != nil || s.Pass > 0 || s.Thin {
		return nil
	}
	largest := Skew{}
	for p, b := range bytes {
		if b > largest.Bytes {
			largest.Partition, largest.Bytes = p, b
		}
	}
	if largest.Bytes <= skewBytes || float64(largest.Bytes)*float64(len(bytes)) <= skewTimes*float64(sum(bytes)) {
		return nil
	}
	largest.MeanBytes = sum(bytes) / int64(len(bytes))
	return &largest
}
