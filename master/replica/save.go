package replica

import (
	"io"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"fletch/api"
	"fletch/engine/plan"
	"fletch/master/state"
)

// recordBytes is about how large a record of tasks or splits gets.
const recordBytes = 256 << 10

// writeSnapshot writes a snapshot's records and returns its size.
func writeSnapshot(to io.Writer, s *state.Snapshot) (int64, error) {
	w, err := newFrameWriter(to)
	if err != nil {
		return 0, err
	}
	if err := w.write(&api.SnapshotRecord{Record: &api.SnapshotRecord_Head_{Head: &api.SnapshotRecord_Head{Epoch: s.Epoch}}}); err != nil {
		return 0, err
	}
	for _, worker := range s.Workers {
		if err := w.write(workerRecord(worker)); err != nil {
			return 0, err
		}
	}
	for _, entry := range s.Audit {
		if err := w.write(auditRecord(entry)); err != nil {
			return 0, err
		}
	}
	for _, j := range s.Jobs {
		if err := w.job(j.Save()); err != nil {
			return 0, err
		}
	}
	return w.bytes, w.end()
}

func workerRecord(w state.Worker) *api.SnapshotRecord {
	m := &api.SnapshotRecord_Worker{Id: w.ID, Incarnation: w.Incarnation, Address: w.Address, Epoch: w.Epoch, Lost: w.Lost}
	return &api.SnapshotRecord{Record: &api.SnapshotRecord_Worker_{Worker: m}}
}

func auditRecord(e state.AuditEntry) *api.SnapshotRecord {
	m := &api.SnapshotRecord_Audit{User: e.User, Action: e.Action, Subject: e.Subject, AtUnixNanos: nanos(e.At)}
	return &api.SnapshotRecord{Record: &api.SnapshotRecord_Audit_{Audit: m}}
}

// job writes a job and what belongs to it.
func (w *frameWriter) job(s state.Saved) error {
	if err := w.write(jobRecord(&s)); err != nil {
		return err
	}
	for _, node := range slices.Sorted(maps.Keys(s.Splits)) {
		if err := w.splits(node, s.Splits[node]); err != nil {
			return err
		}
	}
	for i := range s.Stages {
		stage := &s.Stages[i]
		if err := w.write(stageRecord(stage)); err != nil {
			return err
		}
		if err := w.tasks(stage, s.Splits[stage.Stage.Root]); err != nil {
			return err
		}
	}
	for _, node := range slices.Sorted(maps.Keys(s.Bytes)) {
		m := &api.SnapshotRecord_Exchange{Node: narrow(node), Bytes: s.Bytes[node]}
		if err := w.write(&api.SnapshotRecord{Record: &api.SnapshotRecord_Exchange_{Exchange: m}}); err != nil {
			return err
		}
	}
	return nil
}

func jobRecord(s *state.Saved) *api.SnapshotRecord {
	j := &s.Job
	m := &api.SnapshotRecord_Job{
		Id: j.ID, Graph: api.GraphOf(j.Graph), Settings: settingsOf(j.Settings), Plugin: j.Plugin, Args: bytesOf(j.Args), User: j.User,
		Status: uint32(j.Status), Decided: j.Decided, Failure: failureOf(j.Failure),
		SubmittedUnixNanos: nanos(j.Submitted), StartedUnixNanos: nanos(j.Started), FinishedUnixNanos: nanos(j.Finished),
		Counters: s.Counters,
	}
	for _, o := range s.Outputs {
		m.Outputs = append(m.Outputs, &api.SnapshotRecord_Output{Sink: narrow(o.Sink), Parts: narrow(o.Parts), Rows: o.Rows, Bytes: o.Bytes})
	}
	return &api.SnapshotRecord{Record: &api.SnapshotRecord_Job_{Job: m}}
}

// splits writes the splits of a node, one record at least: none is not the same as no node.
func (w *frameWriter) splits(node int, splits []plan.Split) error {
	m, bytes := &api.NodeSplits{Node: narrow(node)}, 0
	for i := range splits {
		split := api.SplitOf(&splits[i])
		m.Splits = append(m.Splits, split)
		if bytes += proto.Size(split); bytes < recordBytes {
			continue
		}
		if err := w.write(&api.SnapshotRecord{Record: &api.SnapshotRecord_Splits{Splits: m}}); err != nil {
			return err
		}
		m, bytes = &api.NodeSplits{Node: m.GetNode()}, 0
	}
	return w.write(&api.SnapshotRecord{Record: &api.SnapshotRecord_Splits{Splits: m}})
}

func stageRecord(s *state.SavedStage) *api.SnapshotRecord {
	m := &api.SnapshotRecord_Stage{
		Stage: api.StageOf(&s.Stage.Stage), Committed: narrow(s.Stage.Committed), Failed: narrow(s.Stage.Failed), InputBytes: s.Stage.InputBytes,
		Metrics: api.MetricsOf(s.Stage.Metrics), StartedUnixNanos: nanos(s.Stage.Started), FinishedUnixNanos: nanos(s.Stage.Finished),
		Tasks: narrow(s.Len), Skew: api.SkewOf(s.Stage.Skew), Skipped: s.Stage.Skipped,
	}
	return &api.SnapshotRecord{Record: &api.SnapshotRecord_Stage_{Stage: m}}
}

// tasks writes the tasks of a stage.
func (w *frameWriter) tasks(s *state.SavedStage, splits []plan.Split) error {
	m, bytes := &api.SnapshotRecord_Tasks{}, 0
	for t := range s.Tasks {
		task := taskOf(t, splits)
		m.Tasks = append(m.Tasks, task)
		if bytes += proto.Size(task); bytes < recordBytes {
			continue
		}
		if err := w.write(&api.SnapshotRecord{Record: &api.SnapshotRecord_Tasks_{Tasks: m}}); err != nil {
			return err
		}
		m, bytes = &api.SnapshotRecord_Tasks{}, 0
	}
	if len(m.GetTasks()) == 0 {
		return nil
	}
	return w.write(&api.SnapshotRecord{Record: &api.SnapshotRecord_Tasks_{Tasks: m}})
}

func taskOf(t *state.Task, splits []plan.Split) *api.SnapshotRecord_Task {
	planned := t.Task
	submitted := planned.Split != nil && planned.Index < len(splits) && planned.Split == &splits[planned.Index]
	if submitted {
		planned.Split = nil
	}
	m := &api.SnapshotRecord_Task{
		Task: api.TaskOf(&planned), SubmittedSplit: submitted, StageAttempt: narrow(t.StageAttempt),
		Committed: t.Committed, Measured: t.Measured, RetryAtUnixNanos: nanos(t.RetryAt),
	}
	if t.Committed {
		m.Winner, m.Holder = attemptOf(t.Winner), holderOf(t.Holder)
		m.Result = api.ResultOf(&plan.Result{Parts: t.Parts, Counters: t.Counters, Metrics: t.Metrics})
	}
	for _, h := range t.Lost {
		m.Lost = append(m.Lost, holderOf(h))
	}
	for i := range t.Failures {
		m.Failures = append(m.Failures, failureOf(&t.Failures[i]))
	}
	return m
}

func holderOf(h state.Holder) *api.SnapshotRecord_Holder {
	return &api.SnapshotRecord_Holder{Worker: h.Worker, Epoch: h.Epoch}
}

func failureOf(f *state.Failure) *api.SnapshotRecord_Failure {
	if f == nil {
		return nil
	}
	return &api.SnapshotRecord_Failure{
		Attempt: attemptOf(f.Attempt), Worker: f.Worker, Class: uint32(f.Class), Message: f.Message, AtUnixNanos: nanos(f.At),
	}
}
