package api

import (
	"math"

	"fletch/engine/plan"
)

// StagesOf returns the messages of stages.
func StagesOf(stages []plan.Stage) []*Stage {
	out := make([]*Stage, len(stages))
	for i := range stages {
		out[i] = StageOf(&stages[i])
	}
	return out
}

// PlanStages returns the stages of messages.
func PlanStages(list []*Stage) ([]plan.Stage, error) {
	c := &checker{message: "Stages"}
	if !c.count("stages", len(list), maxNodes) {
		return nil, c.err
	}
	stages := make([]plan.Stage, len(list))
	for i, m := range list {
		s, err := m.Plan()
		if err != nil {
			return nil, err
		}
		stages[i] = *s
	}
	return stages, nil
}

// StageOf returns the message of a stage.
func StageOf(s *plan.Stage) *Stage {
	m := &Stage{
		Id: narrow(s.ID), Root: narrow(s.Root), Nodes: narrowAll(s.Nodes), Outputs: narrowAll(s.Outputs),
		Parents: narrowAll(s.Parents), Partitions: narrow(s.Partitions), Pass: narrow(s.Pass), Thin: s.Thin, Sides: narrowAll(s.Sides),
		OutputPartitions: narrowAll(s.OutputPartitions), OrderDependent: s.OrderDependent,
	}
	for _, c := range s.If {
		m.Conditions = append(m.Conditions, &Condition{Exchange: narrow(c.Exchange), Small: c.Small})
	}
	return m
}

// Plan returns the stage of a message.
func (m *Stage) Plan() (*plan.Stage, error) {
	c := &checker{message: "Stage"}
	if !c.present(m != nil) {
		return nil, c.err
	}
	s := &plan.Stage{
		ID:         c.index("its id", m.GetId(), maxNodes),
		Root:       c.index("its root", m.GetRoot(), maxNodes),
		Nodes:      c.nodes("operators", m.GetNodes()),
		Outputs:    c.nodes("outputs", m.GetOutputs()),
		Parents:    c.nodes("parents", m.GetParents()),
		Partitions: c.index("its partitions", m.GetPartitions(), maxPartitions+1),
		Pass:       c.index("its pass", m.GetPass(), maxNodes),
		Thin:       m.GetThin(),
		Sides:      c.nodes("sides", m.GetSides()),

		OrderDependent: m.GetOrderDependent(),
	}
	if have, want := len(m.GetOutputPartitions()), len(s.Outputs); have != want {
		c.fail("%d outputs have %d numbers of partitions", want, have)
	}
	c.count("conditions", len(m.GetConditions()), maxNodes)
	for _, x := range m.GetConditions() {
		s.If = append(s.If, plan.Condition{Exchange: c.index("the exchange of a condition", x.GetExchange(), maxNodes), Small: x.GetSmall()})
	}
	for _, n := range m.GetOutputPartitions() {
		s.OutputPartitions = append(s.OutputPartitions, c.index("an output's partitions", n, maxPartitions+1))
	}
	if c.err != nil {
		return nil, c.err
	}
	return s, nil
}

// SkewOf returns the message of a skew; nil where there is none.
func SkewOf(s *plan.Skew) *Skew {
	if s == nil {
		return nil
	}
	return &Skew{Partition: narrow(s.Partition), Bytes: s.Bytes, MeanBytes: s.MeanBytes}
}

// Plan returns the skew of a message, which may be missing.
func (m *Skew) Plan() (*plan.Skew, error) {
	if m == nil {
		return nil, nil
	}
	c := &checker{message: "Skew"}
	s := &plan.Skew{
		Partition: c.index("its partition", m.GetPartition(), maxPartitions),
		Bytes:     c.size("its size", m.GetBytes()),
		MeanBytes: c.size("the mean", m.GetMeanBytes()),
	}
	return s, c.err
}

// TaskOf returns the message of a task.
func TaskOf(t *plan.Task) *Task {
	m := &Task{Stage: narrow(t.Stage), Index: narrow(t.Index), Lo: narrow(t.Lo), Hi: narrow(t.Hi), Weight: t.Weight}
	if t.Split != nil {
		m.Split = SplitOf(t.Split)
	}
	return m
}

// Plan returns the task of a message.
func (m *Task) Plan() (*plan.Task, error) {
	c := &checker{message: "Task"}
	if !c.present(m != nil) {
		return nil, c.err
	}
	t := &plan.Task{
		Stage:  c.index("its stage", m.GetStage(), maxNodes),
		Index:  c.index("its index", m.GetIndex(), maxTasks),
		Lo:     c.index("its first partition", m.GetLo(), maxPartitions+1),
		Hi:     c.index("its last partition", m.GetHi(), maxPartitions+1),
		Weight: m.GetWeight(),
	}
	if !(t.Weight >= 0) || math.IsInf(t.Weight, 1) {
		c.fail("its weight is %v", t.Weight)
	}
	if t.Lo > t.Hi {
		c.fail("its partitions [%d, %d) end before they begin", t.Lo, t.Hi)
	}
	if m.GetSplit() != nil {
		split, err := m.GetSplit().Plan()
		c.keep(err)
		t.Split = split
	}
	if c.err != nil {
		return nil, c.err
	}
	return t, nil
}

// SplitOf returns the message of a split.
func SplitOf(s *plan.Split) *Split {
	m := &Split{First: s.First, Count: s.Count, Bytes: s.Bytes}
	for _, f := range s.Files {
		m.Files = append(m.Files, &FileRange{Path: []byte(f.Path), Offset: f.Offset, Length: f.Length, Size: f.Size, Whole: f.Whole})
	}
	return m
}

// Plan returns the split of a message.
func (m *Split) Plan() (*plan.Split, error) {
	c := &checker{message: "Split"}
	if !c.present(m != nil) {
		return nil, c.err
	}
	s := &plan.Split{
		First: c.size("its first item", m.GetFirst()),
		Count: c.size("its number of items", m.GetCount()),
		Bytes: c.size("its size", m.GetBytes()),
	}
	if s.First > math.MaxInt64-s.Count {
		c.fail("%d items from item %d on are too many", s.Count, s.First)
	}
	for _, f := range m.GetFiles() {
		s.Files = append(s.Files, c.fileRange(f))
	}
	if c.err != nil {
		return nil, c.err
	}
	return s, nil
}

func (c *checker) fileRange(m *FileRange) plan.FileRange {
	r := plan.FileRange{
		Path:   string(m.GetPath()),
		Offset: c.size("an offset", m.GetOffset()),
		Length: c.size("a length", m.GetLength()),
		Size:   c.size("a file's size", m.GetSize()),
		Whole:  m.GetWhole(),
	}
	if r.Offset > r.Size || r.Length > r.Size-r.Offset {
		c.fail("%d bytes from offset %d on don't lie in %.200q of %d bytes", r.Length, r.Offset, r.Path, r.Size)
	}
	return r
}
