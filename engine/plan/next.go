package plan

import (
	"fmt"
	"slices"
)

// maxTasks caps the tasks of a job: each costs the master memory for as long as the job is known.
const maxTasks = 1_000_000

// groupBytes is how many measured bytes neighbouring partitions bring together into one task. A partition larger than
// that is a task of its own. It does not depend on the number of cores: the same job has the same tasks anywhere.
const groupBytes = 4 << 20

// Facts is what planning knows of a job besides its graph. It grows while stages are planned and completed.
type Facts struct {
	// Splits are those of each source that reads files, by node. Sources of items need none: see ItemSplits.
	Splits map[int][]Split
	// Partitions is the user's setting for exchanges that name no number; zero follows the input's size.
	Partitions int
	// Tasks is the number of tasks by stage, zero where the stage is not planned; nil where none is.
	Tasks []int
	// Complete says by stage whether all its tasks are committed; nil where none is.
	Complete []bool
	// Bytes is what the complete stages wrote, by exchange and partition.
	Bytes map[int][]int64
}

// splits returns the splits of a source; no files give none.
func (f *Facts) splits(n *Node) ([]Split, error) {
	if len(n.Source.Patterns) == 0 {
		return ItemSplits(*n.Source), nil
	}
	splits, ok := f.Splits[n.ID]
	if !ok {
		return nil, fmt.Errorf("%s: its input has not been listed", n)
	}
	for _, s := range splits {
		if s.Bytes < 0 {
			return nil, fmt.Errorf("%s: a split of %d bytes", n, s.Bytes)
		}
	}
	return splits, nil
}

// What may be written to an exchange that every task then reads whole: so many bytes, in so many blocks at the most, as each
// of these costs a step of each task. There is a block for each partition of each task that writes.
const (
	lookupBytes  = 16 << 20
	lookupBlocks = 4096
)

// Next returns the tasks of the stages that can be planned now and are not planned yet: those whose parents are all
// complete. Call it at the start and whenever a stage has completed. Tasks come in the order of stages and indices; every
// stage has at least one, but for those to skip: what their outputs are made of comes another way (see Stage.If). They count
// as complete from then on. All full stages of a root have the same tasks; of a thin one, each task of a source reads a part
// of the full one's with its index, and there may be fewer of others. The stages are those of Settle. The result follows
// from the arguments alone, so any master decides the same.
func Next(g *Graph, stages []Stage, facts Facts) (tasks []Task, skip []int, err error) {
	total := 0
	for _, n := range facts.Tasks {
		total += n
	}
	facts.Complete = append(slices.Clone(facts.Complete), make([]bool, max(0, len(stages)-len(facts.Complete)))...)
	for i := range stages {
		s := &stages[i]
		if !facts.plannable(s) {
			continue
		}
		if !facts.hold(stages, s) {
			skip, facts.Complete[i] = append(skip, i), true
			continue
		}
		more, err := facts.tasks(g, s)
		if err != nil {
			return nil, nil, err
		}
		if total += len(more); total > maxTasks {
			return nil, nil, fmt.Errorf("job %s needs more than %d tasks, the limit: read larger files or set fewer partitions", g.Job, maxTasks)
		}
		tasks = append(tasks, more...)
	}
	return tasks, skip, nil
}

// plannable tells whether a stage is still to be planned and can be.
func (f *Facts) plannable(s *Stage) bool {
	if s.ID < len(f.Tasks) && f.Tasks[s.ID] > 0 || f.complete(s.ID) {
		return false
	}
	for _, parent := range s.Parents {
		if !f.complete(parent) {
			return false
		}
	}
	return true
}

func (f *Facts) complete(stage int) bool { return stage < len(f.Complete) && f.Complete[stage] }

// hold tells whether the conditions of a stage hold, once the stages are complete that decide about them.
func (f *Facts) hold(stages []Stage, s *Stage) bool {
	for _, c := range s.If {
		small := sum(f.Bytes[c.Exchange]) <= lookupBytes && f.blocks(stages, s.Parents, c.Exchange) <= lookupBlocks
		if small != c.Small {
			return false
		}
	}
	return true
}

// blocks returns how many blocks complete stages among parents have written to an exchange.
func (f *Facts) blocks(stages []Stage, parents []int, exchange int) (blocks int) {
	for _, p := range parents {
		if i := slices.Index(stages[p].Outputs, exchange); i >= 0 && p < len(f.Tasks) {
			blocks += f.Tasks[p] * stages[p].OutputPartitions[i]
		}
	}
	return blocks
}

func (f *Facts) tasks(g *Graph, s *Stage) ([]Task, error) {
	n := &g.Nodes[s.Root]
	if n.Kind == Source {
		return f.sourceTasks(s, n)
	}
	if s.Thin && s.Partitions > samples && evenly(g, s) {
		return spacedTasks(s), nil
	}
	bytes, err := f.bytes(g, s)
	if err != nil {
		return nil, err
	}
	return rangeTasks(s, bytes), nil
}

// bytes returns the measured sizes of the partitions that a stage's tasks share out: of two exchanges that meet, the sums.
func (f *Facts) bytes(g *Graph, s *Stage) ([]int64, error) {
	var total []int64
	for _, x := range s.Inputs(g) {
		bytes := f.Bytes[x]
		if bytes == nil {
			continue
		}
		if len(bytes) != s.Partitions {
			return nil, fmt.Errorf("%s: sizes of %d partitions are known, the plan has %d", &g.Nodes[x], len(bytes), s.Partitions)
		}
		if total == nil {
			total = bytes
			continue
		}
		total = slices.Clone(total)
		for p, b := range bytes {
			total[p] = addCapped(total[p], b)
		}
	}
	return total, nil
}

// sourceTasks makes a task of each split, and one of an empty split where there is nothing to read: its outputs then
// exist and are empty.
func (f *Facts) sourceTasks(s *Stage, n *Node) ([]Task, error) {
	splits, err := f.splits(n)
	if err != nil {
		return nil, err
	}
	if len(splits) == 0 {
		splits = []Split{{}}
	}
	if len(splits) > maxTasks {
		return nil, fmt.Errorf("%s: %d splits make more than %d tasks, the limit: read larger files", n, len(splits), maxTasks)
	}
	if s.Thin {
		return sampleTasks(s, splits), nil
	}
	tasks := make([]Task, len(splits))
	for i := range splits {
		tasks[i] = Task{Stage: s.ID, Index: i, Split: &splits[i]}
	}
	return tasks, nil
}

// rangeTasks groups neighbouring partitions until the next one would take the group beyond groupBytes. Empty ones cost
// nothing and stay with their neighbours.
func rangeTasks(s *Stage, bytes []int64) []Task {
	var tasks []Task
	lo, sum := 0, int64(0)
	for p, b := range bytes {
		if sum = addCapped(sum, b); sum > groupBytes && sum > b && b > 0 {
			tasks = append(tasks, Task{Stage: s.ID, Index: len(tasks), Lo: lo, Hi: p})
			lo, sum = p, b
		}
	}
	return append(tasks, Task{Stage: s.ID, Index: len(tasks), Lo: lo, Hi: s.Partitions})
}
