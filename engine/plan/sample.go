package plan

import "slices"

// A thin stage reads a sample of its root: so many pieces of so many bytes of each split of files, spread evenly, and so
// many whole partitions of an exchange whose partitions are alike. What is not larger than wholeBytes is read whole.
const (
	samples     = 8
	sampleBytes = 256 << 10
	wholeBytes  = 4 << 20
)

// Sampled returns what a thin stage reads of the splits of a source, split by split.
func Sampled(splits []Split) []Split {
	out := make([]Split, len(splits))
	for i := range splits {
		out[i] = sampled(&splits[i])
	}
	return out
}

// sampled returns a split of the pieces of one, in their order. A file that can't be read from its middle on stays whole, as
// do items, which nobody can skip without making them.
func sampled(s *Split) Split {
	var total int64 // of what can be cut
	for i := range s.Files {
		if f := &s.Files[i]; !f.Whole {
			total = addCapped(total, f.Length)
		}
	}
	if s.Bytes <= wholeBytes || total <= samples*sampleBytes {
		return *s
	}
	out := Split{Bytes: max(s.Bytes-total, 0)}
	var at int64 // how much of total lies before the file
	for i := range s.Files {
		f := &s.Files[i]
		if f.Whole {
			out.Files = append(out.Files, *f)
			continue
		}
		for k := range int64(samples) {
			start := total / samples * k
			lo, hi := max(start, at), min(start+sampleBytes, addCapped(at, f.Length))
			if lo < hi {
				out.Files = append(out.Files, FileRange{Path: f.Path, Offset: f.Offset + lo - at, Length: hi - lo, Size: f.Size})
				out.Bytes = addCapped(out.Bytes, hi-lo)
			}
		}
		at = addCapped(at, f.Length)
	}
	return out
}

// sampleTasks makes a task of the sample of each split.
func sampleTasks(s *Stage, splits []Split) []Task {
	sampled := Sampled(splits)
	tasks := make([]Task, len(splits))
	for i := range tasks {
		tasks[i] = Task{Stage: s.ID, Index: i, Split: &sampled[i]}
		if read := sampled[i].Bytes; read < splits[i].Bytes {
			tasks[i].Weight = float64(splits[i].Bytes) / float64(read)
		}
	}
	return tasks
}

// Writer returns the number of the stage that writes an exchange with the records that s reads: s, or the one that s is a
// sample of. Both take the same of two ways.
func Writer(stages []Stage, s *Stage, exchange int) int {
	return slices.IndexFunc(stages, func(w Stage) bool {
		return w.Root == s.Root && !w.Thin && slices.Contains(w.Outputs, exchange) && slices.Equal(w.If, s.If)
	})
}

// evenly tells whether records come to the partitions of what a stage reads by chance, so that some stand for all.
func evenly(g *Graph, s *Stage) bool {
	for _, x := range s.Inputs(g) {
		if p := g.Nodes[x].Exchange.Partitioning; p != ByHash && p != ByRow {
			return false
		}
	}
	return true
}

// spacedTasks reads partitions at even distances.
func spacedTasks(s *Stage) []Task {
	tasks := make([]Task, samples)
	for i := range tasks {
		p := i * s.Partitions / samples
		tasks[i] = Task{Stage: s.ID, Index: i, Lo: p, Hi: p + 1, Weight: float64(s.Partitions) / samples}
	}
	return tasks
}
