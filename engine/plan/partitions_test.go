package plan

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestPartitionsFollowTheSourcesAbove(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		facts := drawFacts(t, g)
		stages, err := Stages(g)
		if err != nil {
			t.Fatal(err)
		}
		open := slices.Clone(stages)
		parted, err := Settle(g, stages, facts)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(open, stages) {
			t.Fatal("Partitions changed its argument")
		}
		for i, s := range parted {
			want := 0
			if in := s.Inputs(g); len(in) > 0 {
				want = wantPartitions(g, facts, s.Root, g.Nodes[in[0]].Exchange)
			}
			if s.Partitions != want {
				t.Fatalf("stage %d has %d partitions, want %d", i, s.Partitions, want)
			}
			for k, out := range s.Outputs {
				want := 0
				if x := g.Nodes[out].Exchange; x != nil {
					reads := out
					for _, n := range g.Nodes {
						if n.Kind == Meet && slices.Contains(n.Inputs, out) {
							reads = n.ID
						}
					}
					want = wantPartitions(g, facts, reads, x)
				}
				if have := s.OutputPartitions[k]; have != want {
					t.Fatalf("stage %d writes %d partitions of %d, want %d", i, have, out, want)
				}
			}
		}
	})
}

// wantPartitions returns the number of partitions of an exchange whose records come from what is above a node.
func wantPartitions(g *Graph, facts Facts, node int, x *Shuffle) int {
	above := make(map[int]bool)
	inputsAbove(g, node, above)
	var bytes int64
	for a := range above {
		bytes += bytesOf(facts.Splits[a])
	}
	each := int64(partitionBytes)
	if x.Partitioning == ByRange {
		each = rangeBytes
	}
	switch {
	case x.Partitions > 0:
		return x.Partitions
	case facts.Partitions > 0:
		return facts.Partitions
	default:
		return max(int((bytes+each-1)/each), 1)
	}
}

// inputsAbove collects a node and those above it.
func inputsAbove(g *Graph, node int, into map[int]bool) {
	into[node] = true
	for _, in := range g.Nodes[node].Inputs {
		if !into[in] {
			inputsAbove(g, in, into)
		}
	}
}

// ancestors collects a stage and those above it.
func ancestors(stages []Stage, i int, into map[int]bool) {
	if into[i] {
		return
	}
	into[i] = true
	for _, parent := range stages[i].Parents {
		ancestors(stages, parent, into)
	}
}

func TestItemSplitsCoverTheItems(t *testing.T) {
	size := rapid.OneOf(rapid.Int64Range(0, 100), rapid.Int64Range(0, 1<<32), rapid.Int64Min(0))
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Items: size.Draw(t, "items"), ItemBytes: size.Draw(t, "bytes")}
		splits := ItemSplits(in)
		if len(splits) < 1 || len(splits) > maxItemSplits || int64(len(splits)) > max(in.Items, 1) {
			t.Fatalf("%d splits", len(splits))
		}
		next := int64(0)
		for i, s := range splits {
			if s.First != next || s.Count < 0 || s.Bytes < 0 || splits[0].Count-s.Count > 1 {
				t.Fatalf("split %d: %+v, after %d", i, s, next)
			}
			next += s.Count
		}
		if next != in.Items {
			t.Fatalf("the splits have %d items of %d", next, in.Items)
		}
	})
}
