package plan

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSampleTasksWeigh sees that what is not read counts as well.
func TestSampleTasksWeigh(t *testing.T) {
	file := func(bytes int64) Split {
		return Split{Files: []FileRange{{Path: "a", Length: bytes, Size: bytes}}, Bytes: bytes}
	}
	for i, task := range sampleTasks(&Stage{Thin: true}, []Split{file(wholeBytes), file(8 * wholeBytes), {Count: 3}, {}}) {
		if want := []float64{0, 16, 0, 0}[i]; task.Index != i || task.Weight != want {
			t.Errorf("task %d weighs %v, want %v", task.Index, task.Weight, want)
		}
	}
	for _, task := range spacedTasks(&Stage{Thin: true, Partitions: 100}) {
		if task.Weight != 12.5 || task.Hi != task.Lo+1 {
			t.Errorf("a task of the partitions [%d, %d) of 100 weighs %v", task.Lo, task.Hi, task.Weight)
		}
	}
}

func TestSampledIsAPartOfTheSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Split
		var plain int64
		for i := range rapid.IntRange(0, 20).Draw(t, "files") {
			f := FileRange{
				Path: fmt.Sprint(i), Offset: rapid.Int64Range(0, 10).Draw(t, "offset"),
				Length: rapid.OneOf(rapid.Int64Range(0, 100<<10), rapid.Int64Range(0, 10<<20)).Draw(t, "length"),
				Whole:  rapid.IntRange(0, 3).Draw(t, "whole") == 0,
			}
			f.Size = f.Offset + f.Length
			s.Files = append(s.Files, f)
			if f.Whole {
				s.Bytes += 4 * f.Length
			} else {
				s.Bytes += f.Length
				plain += f.Length
			}
		}
		got := sampled(&s)
		if s.Bytes <= wholeBytes || plain <= samples*sampleBytes {
			if !reflect.DeepEqual(got, s) {
				t.Fatalf("%+v became %+v", s, got)
			}
			return
		}
		if want := s.Bytes - plain + samples*sampleBytes; got.Bytes != want {
			t.Fatalf("%d bytes, want %d of %d", got.Bytes, want, s.Bytes)
		}
		checkPieces(t, &s, got.Files)
	})
}

// TestWriterRunsWithItsSample sees that every thin stage has a full one that writes what it samples, whichever ways joins take:
// each has its own, which reads the same root.
func TestWriterRunsWithItsSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, sorted := drawSort(t)
		stages, err := Stages(g)
		if err != nil {
			t.Fatal(err)
		}
		if stages, err = Settle(g, stages, drawFacts(t, g)); err != nil {
			t.Fatal(err)
		}
		small := make(map[int]bool)
		for _, s := range stages {
			for _, c := range s.If {
				if _, drawn := small[c.Exchange]; !drawn {
					small[c.Exchange] = rapid.Bool().Draw(t, "small")
				}
			}
		}
		runs := func(s *Stage) bool {
			return !slices.ContainsFunc(s.If, func(c Condition) bool { return small[c.Exchange] != c.Small })
		}
		taken := map[int]bool{}
		for i := range stages {
			s := &stages[i]
			if !runs(s) || !slices.Contains(s.Outputs, sorted) && !slices.Contains(s.Outputs, sorted-2) {
				continue
			}
			w := Writer(stages, s, sorted)
			switch {
			case w < 0 || !runs(&stages[w]) || stages[w].Root != s.Root || stages[w].Thin:
				t.Fatalf("stage %d writes for %+v", w, s)
			case s.Thin && taken[w]:
				t.Fatalf("stage %d writes for two", w)
			case !s.Thin && w != i:
				t.Fatalf("stage %d writes for the full stage %d", w, i)
			}
			taken[w] = taken[w] || s.Thin
		}
	})
}

// drawSort draws a graph with a sort: a thin exchange, one for bounds and the one that is sorted.
func drawSort(t *rapid.T) (g *Graph, sorted int) {
	g = drawChains(t)
	var usable []int
	for i := range g.Nodes {
		if k := g.Nodes[i].Kind; k != Sink && k != Exchange {
			usable = append(usable, i)
		}
	}
	inputs := rapid.SliceOfN(rapid.SampledFrom(usable), 1, 3).Draw(t, "to sort")
	thin := len(g.Nodes)
	one := func(thin bool) *Shuffle { return &Shuffle{Partitioning: ByNothing, Partitions: 1, Thin: thin} }
	g.Nodes = append(g.Nodes,
		Node{ID: thin, Op: "Op", Kind: Exchange, Inputs: inputs, Exchange: one(true)},
		Node{ID: thin + 1, Op: "Op", Kind: Exchange, Inputs: []int{thin}, Exchange: one(false)},
		Node{ID: thin + 2, Op: "Op", Kind: Exchange, Inputs: inputs, Exchange: &Shuffle{Partitioning: ByRange}, Sides: []int{thin + 1}},
		Node{ID: thin + 3, Op: "Op", Kind: Sink, Inputs: []int{thin + 2}, Sink: &Location{Path: "sorted"}})
	return g, thin + 2
}

// checkPieces checks that pieces lie in the files of a split, one behind the other, at even distances; and that all files
// are there that have to stay whole.
func checkPieces(t *rapid.T, s *Split, pieces []FileRange) {
	var plain, at, wanted int64 // wanted: of the pieces so far
	for _, f := range s.Files {
		if !f.Whole {
			plain += f.Length
		}
	}
	for i := range s.Files {
		f := &s.Files[i]
		if f.Whole {
			if len(pieces) == 0 || pieces[0] != *f {
				t.Fatalf("file %d is not whole", i)
			}
			pieces = pieces[1:]
			continue
		}
		end := f.Offset
		for ; len(pieces) > 0 && pieces[0].Path == f.Path; pieces = pieces[1:] {
			p := pieces[0]
			if p.Offset < end || p.Length <= 0 || p.Offset+p.Length > f.Offset+f.Length || p.Size != f.Size || p.Whole {
				t.Fatalf("file %d: %+v after byte %d", i, p, end)
			}
			if want := wanted/sampleBytes*(plain/samples) + wanted%sampleBytes; at+p.Offset-f.Offset != want {
				t.Fatalf("file %d: %+v begins at byte %d of the split, want %d", i, p, at+p.Offset-f.Offset, want)
			}
			wanted += p.Length
			end = p.Offset + p.Length
		}
		at += f.Length
	}
	if len(pieces) > 0 {
		t.Fatalf("%+v is of no file", pieces[0])
	}
}
