package plan

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNextCoversEverythingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.SampledFrom([]func(*rapid.T) *Graph{drawGraph, drawChains}).Draw(t, "shape")(t)
		facts := drawFacts(t, g)
		stages, err := Stages(g)
		if err != nil {
			t.Fatal(err)
		}
		if stages, err = Settle(g, stages, facts); err != nil {
			t.Fatal(err)
		}
		facts.Tasks, facts.Complete = make([]int, len(stages)), make([]bool, len(stages))
		facts.Bytes = make(map[int][]int64)
		for range stages {
			tasks, skip, err := Next(g, stages, facts)
			if err != nil {
				t.Fatal(err)
			}
			if again, skipAgain, err := Next(g, stages, facts); err != nil || !reflect.DeepEqual(tasks, again) || !slices.Equal(skip, skipAgain) {
				t.Fatalf("planned differently the second time: %v, %v, %v", again, skipAgain, err)
			}
			for i := range stages {
				checkCover(t, g, &stages[i], &facts, tasks, skip)
			}
			for _, task := range tasks {
				facts.Tasks[task.Stage]++
			}
			for _, stage := range skip {
				facts.Complete[stage] = true
			}
			complete(t, g, stages, &facts)
		}
		for i, n := range facts.Tasks {
			if n == 0 && !facts.Complete[i] {
				t.Fatalf("stage %d was never planned", i)
			}
		}
	})
}

// checkCover checks that the tasks of a stage, if there are any, cover its splits or partitions once and in order, and
// that they are there exactly if the stage could be planned and is not skipped.
func checkCover(t *rapid.T, g *Graph, s *Stage, f *Facts, all []Task, skip []int) {
	var tasks []Task
	for _, task := range all {
		if task.Stage == s.ID {
			tasks = append(tasks, task)
		}
	}
	skipped := slices.Contains(skip, s.ID)
	if skipped && (len(tasks) > 0 || len(s.If) == 0) {
		t.Fatalf("stage %d is skipped, it has %d tasks and the conditions %v", s.ID, len(tasks), s.If)
	}
	before := *f
	before.Complete = slices.Clone(f.Complete)
	for _, stage := range skip {
		before.Complete[stage] = stage != s.ID
	}
	if want := before.plannable(s); want != (len(tasks) > 0 || skipped) {
		t.Fatalf("stage %d has %d tasks, plannable: %v", s.ID, len(tasks), want)
	}
	if len(tasks) == 0 {
		return
	}
	source := g.Nodes[s.Root].Kind == Source
	splits, next := f.Splits[s.Root], 0
	for i, task := range tasks {
		switch {
		case task.Index != i:
			t.Fatalf("stage %d: task %d stands at %d", s.ID, task.Index, i)
		case source && len(splits) > 0:
			checkSplit(t, s, task.Split, &splits[i])
		case !source && (task.Lo < next || task.Lo > next && !s.Thin || task.Hi <= task.Lo):
			t.Fatalf("stage %d, task %d: partitions [%d, %d) after %d", s.ID, i, task.Lo, task.Hi, next)
		}
		next = task.Hi
		if len(tasks) != samples || !s.Thin {
			checkGroup(t, measured(t, g, s, f), tasks, i)
		}
	}
	if source && len(tasks) != max(1, len(splits)) || next != s.Partitions && !s.Thin || next > s.Partitions {
		t.Fatalf("stage %d: %d tasks over %d splits, or %d of %d partitions", s.ID, len(tasks), len(splits), next, s.Partitions)
	}
}

// checkSplit checks that a task reads its split, or a sample of it.
func checkSplit(t *rapid.T, s *Stage, have, want *Split) {
	if !s.Thin {
		if have != want {
			t.Fatalf("stage %d: another split", s.ID)
		}
		return
	}
	if have.Bytes != min(want.Bytes, samples*sampleBytes) && (want.Bytes > wholeBytes || have.Bytes != want.Bytes) {
		t.Fatalf("stage %d: %d bytes of a split of %d", s.ID, have.Bytes, want.Bytes)
	}
}

// measured returns the sizes of the partitions that a stage reads.
func measured(t *rapid.T, g *Graph, s *Stage, f *Facts) []int64 {
	bytes, err := f.bytes(g, s)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// checkGroup checks that a task of several partitions is small, and that it could not have taken the next one too.
func checkGroup(t *rapid.T, bytes []int64, tasks []Task, i int) {
	if bytes == nil || tasks[i].Split != nil {
		return
	}
	var own, nonEmpty int64
	for _, b := range bytes[tasks[i].Lo:tasks[i].Hi] {
		own += b
		nonEmpty += min(b, 1)
	}
	if own > groupBytes && nonEmpty > 1 {
		t.Fatalf("task %d has %d bytes in %d partitions", i, own, nonEmpty)
	}
	if i+1 < len(tasks) && own+bytes[tasks[i+1].Lo] <= groupBytes {
		t.Fatalf("task %d has %d bytes and leaves %d", i, own, bytes[tasks[i+1].Lo])
	}
}

// complete completes some planned stage, as the draw decides, and measures what it wrote.
func complete(t *rapid.T, g *Graph, stages []Stage, f *Facts) {
	var running []int
	for i := range stages {
		if f.Tasks[i] > 0 && !f.Complete[i] {
			running = append(running, i)
		}
	}
	if len(running) == 0 {
		return // all were skipped that could be planned
	}
	done := rapid.SampledFrom(running).Draw(t, "completes")
	f.Complete[done] = true
	for k, out := range stages[done].Outputs {
		if n := stages[done].OutputPartitions[k]; n > 0 && f.Bytes[out] == nil {
			f.Bytes[out] = rapid.SliceOfN(rapid.Int64Range(0, rapid.SampledFrom([]int64{5 << 20, 100}).Draw(t, "most")), n, n).Draw(t, "bytes")
		}
	}
}

// TestManyBlocksAreNotLookedUp plans a join whose second side has few bytes, in blocks of so many tasks and partitions.
func TestManyBlocksAreNotLookedUp(t *testing.T) {
	for _, c := range []struct {
		writers, partitions int
		small               bool
	}{{1, 1, true}, {4, 1024, true}, {5, 1024, false}, {4097, 1, false}} {
		text := fmt.Sprintf("a = items 100 1000000 | shuffle hash %[2]d\nb = items %[1]d 0 | shuffle hash %[2]d\nlookup a b | shuffle hash | write out", c.writers, c.partitions)
		g, err := parseGraph(text)
		if err != nil {
			t.Fatal(err)
		}
		stages, err := Stages(g)
		if err != nil {
			t.Fatal(err)
		}
		if stages, err = Settle(g, stages, Facts{}); err != nil {
			t.Fatal(err)
		}
		facts := Facts{Tasks: []int{c.writers}, Complete: []bool{true}, Bytes: map[int][]int64{3: make([]int64, c.partitions)}}
		_, skip, err := Next(g, stages, facts)
		shuffled := slices.IndexFunc(stages, func(s Stage) bool { return slices.Equal(s.Outputs, []int{1}) })
		if err != nil || slices.Contains(skip, shuffled) != c.small {
			t.Errorf("%d tasks wrote %d partitions: stages %v are skipped, %v", c.writers, c.partitions, skip, err)
		}
	}
}

func TestNextRefusesTooManyTasks(t *testing.T) {
	g := twoSinks(t)
	stages, err := Stages(g)
	if err != nil {
		t.Fatal(err)
	}
	facts := Facts{Splits: map[int][]Split{0: make([]Split, 3)}, Tasks: []int{0, maxTasks - 3}}
	if tasks, _, err := Next(g, stages, facts); err != nil || len(tasks) != 3 {
		t.Fatalf("at the limit: %d tasks, %v", len(tasks), err)
	}
	facts.Tasks[1]++
	if _, _, err := Next(g, stages, facts); err == nil || !strings.Contains(err.Error(), "more than 1000000 tasks") {
		t.Fatalf("beyond the limit: %v", err)
	}
	facts = Facts{Splits: map[int][]Split{0: make([]Split, maxTasks+1)}}
	if _, _, err := Next(g, stages, facts); err == nil || !strings.Contains(err.Error(), "more than 1000000 tasks") {
		t.Fatalf("in one stage: %v", err)
	}
}
